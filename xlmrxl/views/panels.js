// @ts-nocheck: not typed yet
// Beside the map and the head: which heads look from here to there, what switching off does, taking away, and help.

import { button, download, dropdown, element, own } from "./dom.js";
import { csv, json, png, rows, svg } from "./figure.js";
import { formatNumber, formatPercent } from "./numbers.js";

const NAMED = 8; // heads that are named

/** Ranks heads by the attention from one token, or word, to another. */
export class FindPanel {
  constructor(explorer) {
    this.explorer = explorer;
    this.from = dropdown("From", [], () => {});
    this.to = dropdown("to", [], () => {});
    this.find = button("Find heads", () => this.ask());
    this.list = element("ol", { class: "x-top-heads" });
    this.note = element("p", { class: "x-note", hidden: true });
    this.element = element(
      "section",
      { class: "x-section x-find" },
      element("h3", {}, "Which heads look from one token to another?"),
      element("div", { class: "x-bar" }, this.from, this.to, this.find),
      this.note,
      this.list,
    );
  }

  units() {
    const { sides, selected, settings } = this.explorer;
    const from = sides[selected.side][settings.units === "words" ? "words" : "tokens"];
    return from.text.map((text, index) => ({ index, text, tokens: from.tokens ? from.tokens[index] : [index] }));
  }

  ask() {
    const units = this.units();
    const [queries, keys] = [this.from, this.to].map(({ select }) => units[Number(select.value)].tokens);
    this.explorer.set({ statistic: { queries, keys }, order: "highest", cells: null });
  }

  draw(parts) {
    const { explorer } = this;
    if (["open", "settings"].some((part) => parts.has(part))) {
      const units = this.units();
      const key = JSON.stringify([explorer.selected.side, units.map(({ text }) => text)]);
      if (key !== this.offered) {
        this.offered = key;
        const options = units.map(({ index, text }) => [index, `${index}  ${text}`, true]);
        for (const list of [this.from, this.to]) list.offer(options);
        const mask = units.findIndex(({ tokens }) => explorer.sides[explorer.selected.side].masks.includes(tokens[0]));
        this.from.pick(String(mask < 0 ? Math.min(1, units.length - 1) : mask));
        this.to.pick(String(Math.min(2, units.length - 1)));
      }
    }
    if (parts.has("pins") || parts.has("focus")) {
      // What was clicked last is what will be asked for.
      const { rows: queries, columns: keys } = explorer.pins[explorer.selected.side];
      const units = this.units();
      for (const [list, pins] of [
        [this.from, queries],
        [this.to, keys],
      ]) {
        const last = [...pins].pop();
        if (last !== undefined) list.pick(String(units.findIndex(({ tokens }) => tokens.includes(last))));
      }
    }
    if (explorer.map && ["open", "map", "settings"].some((part) => parts.has(part))) this.name();
  }

  /** The heads at the top of the map's order, whatever it is about. */
  name() {
    const { explorer } = this;
    const { map, settings, heads } = explorer;
    const named = map.values !== null;
    this.note.hidden = this.list.hidden = !named;
    if (!named) return;
    const sign = settings.order === "lowest" ? 1 : -1;
    const order = Array.from(map.values.keys()).filter((i) => Number.isFinite(map.values[i]));
    order.sort((a, b) => sign * (map.values[a] - map.values[b]) || a - b);
    this.note.replaceChildren(`${sign < 0 ? "Highest" : "Lowest"}: `, own(map.name));
    this.list.replaceChildren(
      ...order.slice(0, NAMED).map((index) => {
        const [layer, head] = [Math.floor(index / heads), index % heads];
        const pressed = String(explorer.isChosen(layer, head));
        return element(
          "li",
          {},
          element(
            "button",
            {
              type: "button",
              click: () => explorer.select(layer, head),
              "aria-pressed": pressed,
              "data-layer": layer,
              "data-head": head,
              "data-value": map.values[index],
            },
            `L${layer} H${head}`,
            element("span", {}, formatNumber(map.values[index], map.signed)),
          ),
        );
      }),
    );
  }
}

/** Switches heads and layers off and shows what becomes of the prediction. */
export class OffPanel {
  constructor(explorer) {
    this.explorer = explorer;
    this.head = button("", () => explorer.toggleOff(explorer.selected.layer, explorer.selected.head));
    this.layer = button("", () => explorer.toggleOff(explorer.selected.layer));
    this.none = button("Switch all on", () => explorer.switchOff({ heads: [], layers: [] }));
    this.at = dropdown("Watch", [], (value) => explorer.switchOff({ at: value === "" ? null : [Number(value)] }));
    this.chips = element("div", { class: "x-chips" });
    this.note = element("p", { class: "x-note" });
    this.problem = element("p", { class: "x-problem", role: "alert", hidden: true });
    this.effects = element("div", {});
    this.element = element(
      "section",
      { class: "x-section x-off" },
      element("h3", {}, "Switch off"),
      element("div", { class: "x-bar" }, this.head, this.layer, this.at, this.none),
      this.chips,
      this.note,
      this.problem,
      this.effects,
    );
  }

  draw(parts) {
    const { explorer } = this;
    if (!["open", "settings", "off", "head"].some((part) => parts.has(part))) return;
    const can = explorer.can("ablate");
    this.element.hidden = !can && !explorer.meta.inside && explorer.meta.abilities.length > 0;
    const { selected, settings, ablation } = explorer;
    const { heads, layers, at } = settings.off;
    const headOff = heads.some(([layer, head]) => layer === selected.layer && head === selected.head);
    this.head.textContent = `L${selected.layer} H${selected.head} ${headOff ? "on again" : "off"}`;
    this.layer.textContent = `Layer ${selected.layer} ${layers.includes(selected.layer) ? "on again" : "off"}`;
    this.head.disabled = this.layer.disabled = !can;
    this.none.hidden = !heads.length && !layers.length;
    const { masks, tokens } = explorer.sides[0];
    this.at.hidden = !can || explorer.sides.length > 1;
    this.at.offer([
      ["", masks.length ? "the masks" : "the prediction"],
      ...tokens.text.map((text, i) => [i, `${i}  ${text}`, true]),
    ]);
    this.at.pick(at === null ? "" : String(at[0]));
    const chip = (name, pressed) => button(`${name} ×`, pressed, { "aria-label": `Switch ${name} on` });
    this.chips.replaceChildren(
      ...heads.map(([layer, head]) => chip(`L${layer} H${head}`, () => explorer.toggleOff(layer, head))),
      ...layers.map((layer) => chip(`layer ${layer}`, () => explorer.toggleOff(layer))),
    );
    this.chips.hidden = !this.chips.childElementCount;
    this.note.textContent = can
      ? ablation
        ? ablation.waiting
          ? "The model is run without them…"
          : ""
        : "Switch a head or a layer off to see what becomes of the prediction. On the map: x for a head, X for a layer."
      : "Switching heads off needs the model: open the text in a notebook or in the app.";
    this.note.hidden = !this.note.textContent;
    this.problem.textContent = ablation?.error ?? "";
    this.problem.hidden = !ablation?.error;
    if (ablation?.found) this.effects.replaceChildren(...ablation.found.map((found, side) => this.side(found, side)));
    else if (!ablation) this.effects.replaceChildren();
  }

  side(found, side) {
    const { sides } = this.explorer;
    const caption =
      sides.length > 1 &&
      element(
        "p",
        { class: "x-caption" },
        own(sides[side].text),
        element("span", { translate: "no" }, sides[side].source.precision),
      );
    return element(
      "div",
      { "data-side": side },
      caption,
      element("div", { class: "x-effects" }, ...found.effects.map((effect) => this.effect(effect))),
    );
  }

  effect({ title, position, kl, outcomes }) {
    const most = Math.max(...outcomes.map(({ before, after }) => Math.max(before, after)), 1e-9);
    const bars = kl !== null;
    const width = (value) => `${Math.max(0, Math.min(100, (100 * value) / most)).toFixed(1)}%`;
    const bar = (value) => {
      const node = element("i", {});
      node.style.width = width(value);
      return node;
    };
    const shown = (value) => (bars ? formatPercent(value) : formatNumber(value));
    return element(
      "div",
      { class: "x-effect", "data-position": position, "data-kl": kl },
      element(
        "table",
        {},
        element(
          "caption",
          {},
          own(title),
          position === null ? "" : ` at ${position}`,
          kl === null ? "" : ", KL ",
          kl !== null && element("b", {}, `${formatNumber(kl)} nats`),
        ),
        element(
          "thead",
          {},
          element(
            "tr",
            {},
            element("th", { scope: "col" }, element("span", { class: "x-unseen" }, "Prediction")),
            element("th", { scope: "col" }, element("span", { class: "x-unseen" }, "Bars")),
            ...["before", "after"].map((name) =>
              element("th", { scope: "col" }, bars && element("i", { class: "x-swatch" }), name),
            ),
          ),
        ),
        element(
          "tbody",
          {},
          ...outcomes.map(({ text, before, after }) =>
            element(
              "tr",
              { "data-before": before, "data-after": after },
              element("th", { scope: "row" }, own(text)),
              element(
                "td",
                {},
                bars && element("span", { class: "x-pair", "aria-hidden": "true" }, bar(before), bar(after)),
              ),
              element("td", {}, shown(before)),
              element("td", {}, shown(after)),
            ),
          ),
        ),
      ),
    );
  }
}

const TYPES = { svg: "image/svg+xml", csv: "text/csv", json: "application/json", html: "text/html" };

/** Takes what is shown away. */
export class SavePanel {
  constructor(explorer, panes) {
    this.explorer = explorer;
    this.panes = panes;
    this.what = dropdown("What", [], () => this.draw(new Set(["settings"])));
    this.buttons = ["svg", "png", "csv", "json", "html"].map((form) =>
      button(form.toUpperCase(), () => this.save(form), { "data-form": form }),
    );
    this.problem = element("p", { class: "x-problem", role: "alert", hidden: true });
    this.note = element("p", { class: "x-note" });
    this.element = element(
      "section",
      { class: "x-section x-save" },
      element("h3", {}, "Save"),
      element("div", { class: "x-bar" }, this.what, ...this.buttons),
      this.note,
      this.problem,
    );
  }

  draw(parts) {
    if (!["open", "settings", "off", "head", "map"].some((part) => parts.has(part))) return;
    const { explorer } = this;
    const off = Boolean(explorer.ablation?.found);
    this.what.offer([
      ["head", explorer.title],
      ["map", "the map of heads"],
      ...(off ? [["off", "what switching off does"]] : []),
    ]);
    if (!this.what.select.value) this.what.pick("head");
    for (const { dataset, style } of this.buttons) {
      const hidden = dataset.form === "html" && !explorer.can("html");
      style.display = hidden ? "none" : "";
    }
    const count = this.heads().length;
    this.note.textContent = explorer.can("html")
      ? `SVG and PNG are drawn for paper. HTML is this explorer in one file that works offline, with ${count === 1 ? "the chosen head" : `the ${count} chosen heads`} inside.`
      : "SVG and PNG are drawn for paper.";
  }

  /** The heads that a file of its own gets. */
  heads() {
    const { explorer } = this;
    const request = explorer.request(0);
    const { layer, head } = explorer.selected;
    return request.heads ?? [[layer, head]];
  }

  async save(form) {
    const { explorer } = this;
    const what = this.what.select.value;
    const name = `attention-${what === "head" ? explorer.title.replace(/[^A-Za-z0-9]+/g, "-") : what}.${form}`;
    this.problem.hidden = true;
    try {
      download(name, await this.content(form, what), TYPES[form]);
    } catch (error) {
      this.problem.textContent = error.message;
      this.problem.hidden = false;
    }
  }

  async content(form, what) {
    const { explorer } = this;
    if (what === "head" && !explorer.shown) throw new Error("No head is shown.");
    if (form === "svg") return svg(explorer, what, this.panes());
    if (form === "png") return png(svg(explorer, what, this.panes()));
    if (form === "csv") return csv(await rows(explorer, what));
    if (form === "json") return json(explorer, what);
    const { off, ...settings } = explorer.settings; // which needs the model
    const { buffers } = await explorer.ask({
      type: "html",
      heads: this.heads(),
      selected: explorer.selected,
      settings,
    });
    return new Blob([buffers[0]], { type: TYPES.html });
  }
}

const KEYS = [
  ["←  →  ↑  ↓", "to the next head in the map, the next token in the lines, the next cell in the matrix"],
  ["Enter", "in the map: choose the head; with Shift or Ctrl: add it to the chosen ones, or take it out"],
  ["Enter", "in the lines and the matrix: keep a token, or let it go"],
  ["x, X", "in the map: switch the head off or on; the whole layer"],
  ["Home, End, Page Up, Page Down", "further in one step"],
  ["Esc", "let all tokens go"],
  ["?", "this list"],
];

export class Help {
  constructor() {
    const rowsOf = KEYS.flatMap(([key, does]) => [element("dt", {}, key), element("dd", {}, does)]);
    this.element = element("div", { class: "x-help", id: "x-help", hidden: true }, element("dl", {}, ...rowsOf));
    this.button = button("?", () => this.toggle(), {
      "aria-label": "Keys",
      "aria-expanded": "false",
      "aria-controls": "x-help",
    });
  }

  toggle() {
    this.element.hidden = !this.element.hidden;
    this.button.setAttribute("aria-expanded", String(!this.element.hidden));
  }
}
