// @ts-nocheck: not typed yet
// The controls above the map and above the head, and the lines of text that say what is shown.

import { Scale } from "./colours.js";
import { button, checkbox, dropdown, element, own, segmented } from "./dom.js";
import { formatDecimal, formatNumber, formatWithError } from "./numbers.js";

const ramp = () => element("div", { class: "x-ramp", "aria-hidden": "true" });

/** What the map is about, how it is sorted, and what its cells show. */
export class MapControls {
  constructor(explorer) {
    this.explorer = explorer;
    this.statistic = dropdown("Show", [], (value) => {
      if (value === "pair") return;
      explorer.set({ statistic: value || null, cells: null });
    });
    const order = [
      ["model", "layer and head"],
      ["highest", "highest first"],
      ["lowest", "lowest first"],
    ];
    this.order = dropdown("Order", order, (value) => explorer.set({ order: value }));
    this.cells = segmented(
      "Cells of the map",
      [
        ["patterns", "patterns"],
        ["values", "values"],
      ],
      (value) => explorer.set({ cells: value }),
    );
    const { selected } = explorer;
    this.sides = segmented(
      "Map of",
      [
        ["0", "first"],
        ["1", "second"],
      ],
      (value) => explorer.put({ selected: { ...explorer.selected, side: Number(value) } }),
    );
    this.element = element(
      "div",
      { class: "x-bar" },
      this.statistic,
      this.order,
      this.cells,
      explorer.sides.length > 1 && this.sides,
    );
    this.ramp = ramp();
    this.legend = element("div", { class: "x-legend" });
    this.far = element("progress", { "aria-label": "Heads that have been switched off in turn" });
    this.said = element("span", {});
    const stop = button("Stop", () => explorer.set({ statistic: null, cells: null }));
    this.sweep = element("div", { class: "x-sweep", hidden: true }, this.said, this.far, stop);
    this.note = element("p", { class: "x-note" });
    this.problem = element("p", { class: "x-problem", role: "alert", hidden: true });
    this.sides.pick(String(selected.side));
  }

  draw(parts) {
    const { explorer } = this;
    if (["map", "late", "sweep"].some((part) => parts.has(part))) this.progress();
    if (!explorer.map || !["open", "map", "theme"].some((part) => parts.has(part))) return;
    const { map, settings, meta } = explorer;
    const pair = settings.statistic !== null && typeof settings.statistic === "object";
    const known = [...meta.statistics, ...meta.on_demand].map(({ name }) => [name, name.replace("_", ", ")]);
    this.statistic.offer([["", "patterns"], ...known, ...(pair ? [["pair", map.name, true]] : [])]);
    this.statistic.pick(pair ? "pair" : (settings.statistic ?? ""));
    this.order.pick(settings.order);
    this.order.hidden = this.cells.hidden = settings.statistic === null;
    this.cells.pick(explorer.cells);
    this.sides.pick(String(explorer.selected.side));
    this.sides.hidden = map.signed || settings.statistic === "change";
    this.problem.textContent = explorer.mapError ?? "";
    this.problem.hidden = !explorer.mapError;
    this.ramp.style.background = new Scale(explorer.theme, map.signed && explorer.cells === "values").gradient();
    if (explorer.cells === "values") {
      const ends = map.signed
        ? [formatNumber(-map.peak, true), formatNumber(map.peak, true)]
        : [formatNumber(map.least), formatNumber(map.most)];
      this.legend.replaceChildren(ends[0], this.ramp, `${ends[1]} ${map.unit}`);
    } else {
      this.legend.replaceChildren("0", this.ramp, "largest of each head, square-root scale");
    }
    const about = pair
      ? ["Attention: ", own(map.from), " → ", own(map.to)]
      : [map.label && `${map.label}.`, map.signed ? " Second minus first." : ""];
    const sorted = map.values && settings.order !== "model" ? ` Sorted row by row, ${settings.order} first.` : "";
    this.note.replaceChildren(...about.filter(Boolean), sorted);
    this.note.hidden = settings.statistic === null;
  }

  /** How far a sweep is, where it takes longer than a moment. */
  progress() {
    const { explorer } = this;
    const far = explorer.late.has("map") && explorer.sweeping;
    this.sweep.hidden = !far;
    if (!far) return;
    this.far.max = far.total;
    this.far.value = far.done;
    this.said.textContent = `Switching off each head in turn: ${far.done} of ${far.total}`;
  }
}

/** Which head, as what, and what of it. */
export class HeadControls {
  constructor(explorer, panes) {
    this.explorer = explorer;
    const set = (name) => (value) => explorer.set({ [name]: value });
    this.title = element("h3", {});
    const step = (name, label) => {
      const input = element("input", {
        type: "number",
        min: 0,
        max: explorer[`${name}s`] - 1,
        "aria-label": label,
        change: () => {
          const value = Math.max(0, Math.min(explorer[`${name}s`] - 1, Math.round(Number(input.value)) || 0));
          input.value = value;
          const { layer, head } = { ...explorer.selected, [name]: value };
          explorer.select(layer, head);
        },
      });
      return input;
    };
    this.layer = step("layer", "Layer");
    this.head = step("head", "Head");
    this.form = segmented(
      "Form",
      [
        ["lines", "lines"],
        ["matrix", "matrix"],
      ],
      set("form"),
    );
    this.show = dropdown("Show", [], set("show"));
    this.units = segmented(
      "Units",
      [
        ["pieces", "pieces"],
        ["words", "words"],
      ],
      set("units"),
    );
    const pairs = [
      ["all", "all"],
      ["AA", "A → A"],
      ["AB", "A → B"],
      ["BA", "B → A"],
      ["BB", "B → B"],
    ];
    this.between = dropdown("From sentence to sentence", pairs, set("between"));
    this.special = checkbox("<s> and </s>", set("special"));
    this.renormalise = checkbox("renormalise rows", set("renormalise"));
    this.compare = segmented(
      "Compare",
      [
        ["sides", "side by side"],
        ["difference", "difference"],
      ],
      set("compare"),
    );
    this.range = element("input", {
      type: "range",
      min: 5,
      max: 100,
      step: 5,
      input: () => {
        const mass = { ...explorer.settings.mass, [explorer.form]: Number(this.range.value) / 100 };
        explorer.set({ mass });
      },
    });
    this.output = element("output", {});
    this.mass = element("label", { class: "x-field" }, element("span", {}, "Mass"), this.range, this.output);
    const zoom = (step) => () => {
      for (const pane of panes()) pane.enlarge(step);
    };
    this.zoom = element(
      "span",
      { class: "x-segmented", role: "group", "aria-label": "Size of cells" },
      button("−", zoom(-1), { "aria-label": "Smaller cells" }),
      button("fit", zoom(0)),
      button("+", zoom(1), { "aria-label": "Larger cells" }),
    );
    const field = (text, input) => element("label", { class: "x-field" }, element("span", {}, text), input);
    const two = explorer.sides.length > 1;
    const pair = explorer.sides.some(({ second }) => second !== null);
    this.element = element(
      "div",
      {},
      element("div", { class: "x-title" }, this.title, field("Layer", this.layer), field("Head", this.head), this.form),
      element(
        "div",
        { class: "x-bar" },
        this.show,
        this.units,
        pair && this.between,
        two && explorer.meta.same_tokens && this.compare,
      ),
      element("div", { class: "x-bar" }, this.special, this.renormalise, this.mass, this.zoom),
    );
    this.note = element("p", { class: "x-note" });
    this.problem = element("p", { class: "x-problem", role: "alert", hidden: true });
  }

  draw(parts) {
    const { explorer } = this;
    if (!["open", "settings", "head", "error"].some((part) => parts.has(part))) return;
    const { settings, selected, form } = explorer;
    this.title.textContent = explorer.title;
    for (const name of ["layer", "head"]) {
      if (!this[name].matches(":focus")) this[name].value = selected[name]; // what is being typed stays
    }
    this.form.pick(form);
    const count = settings.chosen.length;
    this.show.offer([
      ["head", `the head L${selected.layer} H${selected.head}`],
      ...(count > 1
        ? [
            ["mean", `mean of the ${count} chosen heads`],
            ["max", `maximum of the ${count} chosen heads`],
          ]
        : []),
      ["layer-mean", `mean of layer ${selected.layer}`],
      ["layer-max", `maximum of layer ${selected.layer}`],
      ["all-mean", "mean of all heads"],
      ["all-max", "maximum of all heads"],
      ["rollout", `rollout, layers 0 to ${selected.layer}`],
    ]);
    this.show.pick(settings.show);
    this.units.pick(settings.units);
    this.between.pick(settings.between);
    this.special.pick(settings.special);
    this.special.input.disabled = settings.between !== "all";
    this.renormalise.pick(settings.renormalise);
    this.compare.pick(settings.compare);
    const mass = settings.mass[form];
    this.range.value = Math.round(100 * mass);
    this.output.textContent = `${Math.round(100 * mass)}%`;
    this.zoom.hidden = form !== "matrix";
    this.problem.textContent = explorer.error ?? "";
    this.problem.hidden = !explorer.error;
    if (explorer.shown) this.note.textContent = this.said();
  }

  /** What is shown and what is not, in sentences. */
  said() {
    const { explorer } = this;
    const { settings, form } = explorer;
    const said = [];
    if (settings.show === "rollout")
      said.push(
        "Rollout (Abnar and Zuidema 2020): what of each token is in each token after the layer, if attention alone mixed them.",
      );
    if (settings.units === "words")
      said.push("To a word: the sum over its pieces; from a word: the mean over its pieces.");
    const kept = explorer.shown.map(({ kept: share }) => formatDecimal(share, 2)).join(" and ");
    if (settings.compare === "difference") said.push("Second minus first.");
    else if (settings.renormalise)
      said.push(`Rows are renormalised: divided by their sum over what is shown, ${kept} on average.`);
    else if (explorer.shown.every(({ whole }) => whole)) said.push("Rows add up to 1.");
    else said.push(`Rows are not renormalised: they add up to ${kept} on average, the rest goes to what is not shown.`);
    if (settings.between !== "all") said.push("<s> and </s> are in neither sentence.");
    const mass = settings.mass[form];
    if (mass < 1) {
      const drawn = form === "lines" ? "Lines are drawn for" : "Coloured are";
      said.push(`${drawn} the fewest weights of each row that make up ${Math.round(100 * mass)}% of it.`);
    }
    return said.join(" ");
  }
}

/** Below the head: what is pointed at, and the strongest pairs. */
export class HeadReadout {
  constructor(explorer, panes) {
    this.explorer = explorer;
    this.panes = panes;
    this.ramp = ramp();
    this.legend = element("div", { class: "x-legend" });
    this.line = element("div", { class: "x-readout", "data-readout": "head" });
    this.strongest = element("ol", { class: "x-strongest", "aria-label": "Strongest pairs" });
    this.element = element("div", {}, this.legend, this.line, this.strongest);
  }

  draw(parts) {
    const { explorer } = this;
    if (!explorer.shown) return;
    if (["head", "theme", "open"].some((part) => parts.has(part))) this.sum();
    if (["head", "focus", "pins", "open"].some((part) => parts.has(part))) this.read();
  }

  /** The legend and the strongest pairs. */
  sum() {
    const { explorer } = this;
    const signed = explorer.shown[0].signed;
    const peaks = explorer.shown.map(({ peak }) => peak);
    const same = new Set(peaks.map((peak) => formatNumber(peak))).size === 1;
    this.ramp.style.background = new Scale(explorer.theme, signed).gradient();
    this.legend.hidden = explorer.form !== "matrix";
    const most = same ? formatNumber(peaks[0]) : peaks.map((peak) => formatNumber(peak)).join(" and ");
    this.legend.replaceChildren(signed ? `−${most}` : "0", this.ramp, `${signed ? "+" : ""}${most}, square-root scale`);
    this.strongest.replaceChildren(
      ...explorer.shown.flatMap((shown, side) =>
        [
          this.side(side, "li"),
          ...shown.strongest(explorer.shown.length > 1 ? 4 : 6).map(([i, j]) =>
            element(
              "li",
              {
                "data-side": side,
                "data-row": i,
                "data-column": j,
                "data-weight": shown.value(i, j),
                "data-error": shown.error(i, j),
              },
              own(shown.rows[i].text),
              "→",
              own(shown.columns[j].text),
              element("span", {}, formatDecimal(shown.value(i, j), 3, shown.signed)),
            ),
          ),
        ].filter(Boolean),
      ),
    );
  }

  /** Which of two sides it is. */
  side(side, tag) {
    return this.explorer.shown.length > 1 && element(tag, { class: "x-side" }, side ? "second" : "first");
  }

  /** What is pointed at, on every side that has it. */
  read() {
    const { explorer } = this;
    const parts = explorer.shown.flatMap((shown, side) => {
      const { row, column } = explorer.focus[side];
      if (row === null && column === null) return [];
      if (row !== null && column !== null) return [this.cell(shown, side, row, column)];
      return [this.list(shown, side, row, column)];
    });
    const idle =
      explorer.form === "lines"
        ? "Point at a token for its lines alone; click to keep them, and more tokens with them."
        : "Point at a cell for its weight; click to keep its row and column.";
    this.line.replaceChildren(...(parts.length ? parts : [element("span", {}, idle)]));
    this.line.dataset.idle = String(!parts.length);
  }

  cell(shown, side, row, column) {
    const [value, error] = [shown.value(row, column), shown.error(row, column)];
    return element(
      "span",
      { "data-side": side, "data-row": row, "data-column": column, "data-weight": value, "data-error": error },
      this.side(side, "i"),
      own(shown.rows[row].text),
      " → ",
      own(shown.columns[column].text),
      " ",
      element("b", { class: "x-value" }, formatWithError(value, error, shown.signed)),
    );
  }

  list(shown, side, row, column) {
    const cells = shown.strongest(6, { row, column });
    const [unit, verb] = row !== null ? [shown.rows[row], " looks at "] : [shown.columns[column], " is looked at by "];
    const line = element(
      "span",
      { "data-side": side, "data-row": row, "data-column": column },
      this.side(side, "i"),
      own(unit.text),
      verb,
    );
    cells.forEach(([i, j], place) => {
      const other = row !== null ? shown.columns[j] : shown.rows[i];
      line.append(
        place ? ", " : "",
        own(other.text),
        " ",
        element("b", { class: "x-value" }, formatDecimal(shown.value(i, j), 3, shown.signed)),
      );
    });
    return line;
  }
}
