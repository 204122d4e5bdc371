// Beside the map and the head: which heads look from here to there, what switching off does, taking away, and help.

import { button, download, dropdown, element, own } from "./dom.js";
import { hasAny } from "./explorer.js";
import { drawPng, drawSvg } from "./figure.js";
import { makeHeadValues } from "./head_values.js";
import { formatNumber, formatPercent } from "./numbers.js";
import { listRows, writeCsv, writeJson } from "./records.js";
import { toBytes } from "./weights.js";

/** @import { Option } from "./dom.js" */
/** @import { Explorer, HeadMapValues, Part } from "./explorer.js" */
/** @import { What } from "./records.js" */
/** @import { LinesPane } from "./lines.js" */
/** @import { MatrixPane } from "./matrix.js" */
/** @import { Ablation, Effect, Head } from "./protocol" */

const NAMED = 8; // heads that are named

/** Ranks heads by the attention from one token, or word, to another. */
export class FindPanel {
  /** What the lists offer. */
  offered = "";

  /** @param {Explorer} explorer */
  constructor(explorer) {
    this.explorer = explorer;
    this.from = dropdown("From", /** @type {Option<string>[]} */ ([]), () => {});
    this.to = dropdown("to", /** @type {Option<string>[]} */ ([]), () => {});
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

  /** Return the tokens or words of the side that the map is of. */
  units() {
    const { sides, selected, settings } = this.explorer;
    const from = sides[selected.side][settings.units === "words" ? "words" : "tokens"];
    return from.text.map((text, index) => ({ index, text, tokens: from.tokens?.[index] ?? [index] }));
  }

  ask() {
    const units = this.units();
    const [queries, keys] = [this.from, this.to].map(({ select }) => units[Number(select.value)].tokens);
    this.explorer.set({ statistic: { queries, keys }, order: "highest", cells: null });
  }

  /** @param {Set<Part>} parts */
  draw(parts) {
    const { explorer } = this;
    const units = this.units();
    if (hasAny(parts, "open", "settings")) this.offer(units);
    if (hasAny(parts, "pins", "focus")) {
      // What was clicked last is what will be asked for.
      const { rows: queries, columns: keys } = explorer.pins[explorer.selected.side];
      for (const [list, pins] of /** @type {const} */ ([
        [this.from, queries],
        [this.to, keys],
      ])) {
        const last = [...pins].pop();
        if (last !== undefined) list.pick(String(units.findIndex(({ tokens }) => tokens.includes(last))));
      }
    }
    if (explorer.map && hasAny(parts, "open", "map", "settings")) this.name(explorer.map);
  }

  /** Offer tokens or words, where they are others. @param {ReturnType<FindPanel["units"]>} units */
  offer(units) {
    const { sides, selected } = this.explorer;
    const key = JSON.stringify([selected.side, units.map(({ text }) => text)]);
    if (key === this.offered) return;
    this.offered = key;
    const options = units.map(
      ({ index, text }) => /** @type {Option<string>} */ ([String(index), `${index}  ${text}`, true]),
    );
    for (const list of [this.from, this.to]) list.offer(options);
    const mask = units.findIndex(({ tokens }) => sides[selected.side].mask_positions.includes(tokens[0]));
    this.from.pick(String(mask < 0 ? Math.min(1, units.length - 1) : mask));
    this.to.pick(String(Math.min(2, units.length - 1)));
  }

  /** Name the heads at the top of the map's order, whatever it is about. @param {HeadMapValues} map */
  name({ name, values, signed }) {
    const { explorer } = this;
    const { settings, heads } = explorer;
    this.note.hidden = values === null;
    this.list.hidden = values === null;
    if (!values) return;
    const isLowest = settings.order === "lowest";
    const { order } = makeHeadValues([values], isLowest ? "lowest" : "highest");
    const named = order.slice(0, NAMED).filter((index) => Number.isFinite(values[index]));
    this.note.replaceChildren(`${isLowest ? "Lowest" : "Highest"}: `, own(name));
    this.list.replaceChildren(
      ...named.map((index) => {
        const [layer, head] = [Math.floor(index / heads), index % heads];
        const data = { "data-layer": layer, "data-head": head, "data-value": values[index] };
        const attributes = { ...data, "aria-pressed": String(explorer.isChosen(layer, head)) };
        const node = button(`L${layer} H${head}`, () => explorer.select(layer, head), attributes);
        node.append(element("span", {}, formatNumber(values[index], signed)));
        return element("li", {}, node);
      }),
    );
  }
}

/** Switches heads and layers off and shows what becomes of the prediction. */
export class OffPanel {
  /** @param {Explorer} explorer */
  constructor(explorer) {
    this.explorer = explorer;
    this.head = button("", () => explorer.toggleOff(explorer.selected.layer, explorer.selected.head));
    this.layer = button("", () => explorer.toggleOff(explorer.selected.layer));
    this.none = button("Switch all on", () => explorer.switchOff({ heads: [], layers: [] }));
    this.positions = dropdown("Watch", /** @type {Option<string>[]} */ ([]), (value) =>
      explorer.switchOff({ positions: value === "" ? null : [Number(value)] }),
    );
    this.chips = element("div", { class: "x-chips" });
    this.note = element("p", { class: "x-note" });
    this.problem = element("p", { class: "x-problem", role: "alert", hidden: true });
    this.effects = element("div", {});
    this.element = element(
      "section",
      { class: "x-section x-off" },
      element("h3", {}, "Switch off"),
      element("div", { class: "x-bar" }, this.head, this.layer, this.positions, this.none),
      this.chips,
      this.note,
      this.problem,
      this.effects,
    );
  }

  /** @param {Set<Part>} parts */
  draw(parts) {
    const { explorer } = this;
    if (!hasAny(parts, "open", "settings", "off", "head")) return;
    const can = explorer.can("ablate");
    this.element.hidden = !can && !explorer.meta.inside && explorer.meta.abilities.length > 0;
    const { selected, settings, ablation } = explorer;
    const { heads, layers, positions } = settings.off;
    const isHeadOff = heads.some(([layer, head]) => layer === selected.layer && head === selected.head);
    this.head.textContent = `L${selected.layer} H${selected.head} ${isHeadOff ? "on again" : "off"}`;
    this.layer.textContent = `Layer ${selected.layer} ${layers.includes(selected.layer) ? "on again" : "off"}`;
    this.head.disabled = !can;
    this.layer.disabled = !can;
    this.none.hidden = !heads.length && !layers.length;
    const { mask_positions: masks, tokens } = explorer.sides[0];
    this.positions.hidden = !can || explorer.sides.length > 1;
    const places = tokens.text.map((text, i) => /** @type {Option<string>} */ ([String(i), `${i}  ${text}`, true]));
    this.positions.offer([["", masks.length ? "the masks" : "the prediction"], ...places]);
    this.positions.pick(positions === null ? "" : String(positions[0]));
    /** @param {string} name @param {() => void} onClick */
    const makeChip = (name, onClick) => button(`${name} ×`, onClick, { "aria-label": `Switch ${name} on` });
    this.chips.replaceChildren(
      ...heads.map(([layer, head]) => makeChip(`L${layer} H${head}`, () => explorer.toggleOff(layer, head))),
      ...layers.map((layer) => makeChip(`layer ${layer}`, () => explorer.toggleOff(layer))),
    );
    this.chips.hidden = !this.chips.childElementCount;
    this.note.textContent = this.explain();
    this.note.hidden = !this.note.textContent;
    this.problem.textContent = ablation?.error ?? "";
    this.problem.hidden = !ablation?.error;
    const found = ablation?.found?.map((effects, side) => this.side(effects, side));
    if (found) this.effects.replaceChildren(...found);
    else if (!ablation) this.effects.replaceChildren();
  }

  /** Return what a person should know who sees no effects yet. */
  explain() {
    const { explorer } = this;
    if (!explorer.can("ablate")) {
      return "Switching heads off needs the model: open the text in a notebook or in the app.";
    }
    if (explorer.ablation) return explorer.ablation.isWaiting ? "The model is run without them…" : "";
    return "Switch a head or a layer off to see what becomes of the prediction. On the map: x for a head, X for a layer.";
  }

  /** Make what becomes of the predictions on a side. @param {Ablation} found @param {number} side */
  side({ effects }, side) {
    const { sides } = this.explorer;
    const { text, source } = sides[side];
    const precision = element("span", { translate: "no" }, source.precision);
    return element(
      "div",
      { "data-side": side },
      sides.length > 1 && element("p", { class: "x-caption" }, own(text), precision),
      element("div", { class: "x-effects" }, ...effects.map((effect) => this.effect(effect))),
    );
  }

  /** Make the table of one prediction. @param {Effect} effect */
  effect({ title, position, kl, outcomes }) {
    const most = Math.max(...outcomes.map(({ before, after }) => Math.max(before, after)), 1e-9);
    const hasBars = kl !== null;
    /** @param {number} value */
    const makeBar = (value) => {
      const node = element("i", {});
      node.style.width = `${Math.max(0, Math.min(100, (100 * value) / most)).toFixed(1)}%`;
      return node;
    };
    /** @param {string} name @param {boolean} hasSwatch */
    const makeHead = (name, hasSwatch) =>
      element("th", { scope: "col" }, hasSwatch && element("i", { class: "x-swatch" }), name);
    /** @param {string} name */
    const makeUnseen = (name) => element("th", { scope: "col" }, element("span", { class: "x-unseen" }, name));
    const write = hasBars ? formatPercent : formatNumber;
    const caption = element("caption", {}, own(title), position === null ? "" : ` at ${position}`);
    if (hasBars) caption.append(", KL ", element("b", {}, `${formatNumber(kl)} nats`));
    const rows = outcomes.map(({ text, before, after }) => {
      const bars =
        hasBars && element("span", { class: "x-pair", "aria-hidden": "true" }, makeBar(before), makeBar(after));
      return element(
        "tr",
        { "data-before": before, "data-after": after },
        element("th", { scope: "row" }, own(text)),
        element("td", {}, bars),
        element("td", {}, write(before)),
        element("td", {}, write(after)),
      );
    });
    const names = [
      makeUnseen("Prediction"),
      makeUnseen("Bars"),
      makeHead("before", hasBars),
      makeHead("after", hasBars),
    ];
    const head = element("thead", {}, element("tr", {}, ...names));
    return element(
      "div",
      { class: "x-effect", "data-position": position, "data-kl": kl },
      element("table", {}, caption, head, element("tbody", {}, ...rows)),
    );
  }
}

/** @typedef {keyof typeof TYPES} Format */
const TYPES = { svg: "image/svg+xml", png: "image/png", csv: "text/csv", json: "application/json", html: "text/html" };

/** Takes what is shown away. */
export class SavePanel {
  /** @param {Explorer} explorer @param {() => (LinesPane | MatrixPane)[]} panes those that are shown */
  constructor(explorer, panes) {
    this.explorer = explorer;
    this.panes = panes;
    this.what = dropdown("What", /** @type {Option<What>[]} */ ([]), () => this.draw(new Set(["settings"])));
    const formats = /** @type {Format[]} */ (Object.keys(TYPES));
    this.buttons = formats.map((format) =>
      button(format.toUpperCase(), () => this.save(format), { "data-form": format }),
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

  /** @param {Set<Part>} parts */
  draw(parts) {
    if (!hasAny(parts, "open", "settings", "off", "head", "map")) return;
    const { explorer } = this;
    /** @type {Option<What>[]} */
    const offered = [
      ["head", explorer.title],
      ["map", "the map of heads"],
    ];
    if (explorer.ablation?.found) offered.push(["off", "what switching off does"]);
    this.what.offer(offered);
    if (!this.what.select.value) this.what.pick("head");
    for (const { dataset, style } of this.buttons) {
      style.display = dataset.form === "html" && !explorer.can("html") ? "none" : "";
    }
    const count = this.heads().length;
    const chosen = count === 1 ? "the chosen head" : `the ${count} chosen heads`;
    this.note.textContent = explorer.can("html")
      ? `SVG and PNG are drawn for paper. HTML is this explorer in one file that works offline, with ${chosen} inside.`
      : "SVG and PNG are drawn for paper.";
  }

  /** Return the heads that a file of its own gets. @returns {Head[]} */
  heads() {
    const { explorer } = this;
    const request = explorer.request(0);
    const { layer, head } = explorer.selected;
    const isSeveral = request.type === "mean" || request.type === "max";
    return (isSeveral ? request.heads : null) ?? [[layer, head]];
  }

  /** @param {Format} format */
  async save(format) {
    const { explorer } = this;
    const what = /** @type {What} */ (this.what.select.value);
    const name = what === "head" ? explorer.title.replace(/[^A-Za-z0-9]+/g, "-") : what;
    this.problem.hidden = true;
    try {
      download(`attention-${name}.${format}`, await this.content(format, what), TYPES[format]);
    } catch (error) {
      this.problem.textContent = error instanceof Error ? error.message : String(error);
      this.problem.hidden = false;
    }
  }

  /** Return the content of a file. @param {Format} format @param {What} what @returns {Promise<BlobPart>} */
  async content(format, what) {
    const { explorer } = this;
    if (what === "head" && !explorer.shown) throw new Error("No head is shown.");
    if (format === "svg") return drawSvg(explorer, what, this.panes());
    if (format === "png") return drawPng(drawSvg(explorer, what, this.panes()));
    if (format === "csv") return writeCsv(await listRows(explorer, what));
    if (format === "json") return writeJson(explorer, what);
    const { off, ...settings } = explorer.settings; // which needs the model
    const { selected } = explorer;
    const { buffers } = await explorer.ask({ type: "html", heads: this.heads(), selected, settings });
    return toBytes(buffers[0]);
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
