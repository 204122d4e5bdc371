// The controls above the map and above the head, and the lines of text that say what is shown.

import { Scale } from "./colours.js";
import { button, checkbox, dropdown, element, own, segmented } from "./dom.js";
import { hasAny } from "./explorer.js";
import { MatrixPane } from "./matrix.js";
import { formatDecimal, formatNumber, formatWithError } from "./numbers.js";

/** @import { Option } from "./dom.js" */
/** @import { Explorer, Part } from "./explorer.js" */
/** @import { LinesPane } from "./lines.js" */
/** @import { Settings } from "./protocol" */
/** @import { Shown } from "./weights.js" */

const makeRamp = () => element("div", { class: "x-ramp", "aria-hidden": "true" });

/** What the map is about, how it is sorted, and what its cells show. */
export class MapControls {
  /** @param {Explorer} explorer */
  constructor(explorer) {
    this.explorer = explorer;
    this.statistic = dropdown("Show", /** @type {Option<string>[]} */ ([]), (value) => {
      if (value === "pair") return;
      explorer.set({ statistic: value || null, cells: null });
    });
    /** @type {Option<Settings["order"]>[]} */
    const orders = [
      ["model", "layer and head"],
      ["highest", "highest first"],
      ["lowest", "lowest first"],
    ];
    this.order = dropdown("Order", orders, (order) => explorer.set({ order }));
    const contents = { patterns: "patterns", values: "values" };
    this.cells = segmented("Cells of the map", contents, (cells) => explorer.set({ cells }));
    this.sides = segmented("Map of", { 0: "first", 1: "second" }, (side) =>
      explorer.put({ selected: { ...explorer.selected, side: Number(side) } }),
    );
    this.element = element(
      "div",
      { class: "x-bar" },
      this.statistic,
      this.order,
      this.cells,
      explorer.sides.length > 1 && this.sides,
    );
    this.ramp = makeRamp();
    this.legend = element("div", { class: "x-legend" });
    this.far = element("progress", { "aria-label": "Heads that have been switched off in turn" });
    this.said = element("span", {});
    const stop = button("Stop", () => explorer.set({ statistic: null, cells: null }));
    this.sweep = element("div", { class: "x-sweep", hidden: true }, this.said, this.far, stop);
    this.note = element("p", { class: "x-note" });
    this.problem = element("p", { class: "x-problem", role: "alert", hidden: true });
  }

  /** @param {Set<Part>} parts */
  draw(parts) {
    const { explorer } = this;
    if (hasAny(parts, "map", "late", "sweep")) this.progress();
    if (!explorer.map || !hasAny(parts, "open", "map", "theme")) return;
    const { map, settings, meta } = explorer;
    const { statistic } = settings;
    const isPair = statistic !== null && typeof statistic === "object";
    /** @type {Option<string>[]} */
    const offered = [["", "patterns"]];
    for (const { name, title } of meta.statistics) offered.push([name, title]);
    if (isPair) offered.push(["pair", map.name, true]);
    this.statistic.offer(offered);
    this.statistic.pick(isPair ? "pair" : (statistic ?? ""));
    this.order.pick(settings.order);
    this.order.hidden = statistic === null;
    this.cells.hidden = statistic === null;
    this.cells.pick(explorer.cells);
    this.sides.pick(explorer.selected.side ? "1" : "0");
    this.sides.hidden = map.isDifference || explorer.needs(statistic) === "comparison";
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
    const about = isPair
      ? ["Attention: ", own(map.from ?? ""), " → ", own(map.to ?? "")]
      : [map.label && `${map.label}.`, map.isDifference ? " Second minus first." : ""];
    const sorted = map.values && settings.order !== "model" ? ` Sorted row by row, ${settings.order} first.` : "";
    this.note.replaceChildren(...about, sorted);
    this.note.hidden = statistic === null;
  }

  /** Say how far a sweep is, where it takes longer than a moment. */
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
  /** @param {Explorer} explorer @param {() => (LinesPane | MatrixPane)[]} panes those that are shown */
  constructor(explorer, panes) {
    this.explorer = explorer;
    /** @template {keyof Settings} Name @param {Name} name @returns {(value: Settings[Name]) => void} */
    const set = (name) => (value) => explorer.set({ [name]: value });
    this.title = element("h3", {});
    this.layer = this.#makeStepper("layer", "Layer", explorer.layers);
    this.head = this.#makeStepper("head", "Head", explorer.heads);
    this.form = segmented("Form", { lines: "lines", matrix: "matrix" }, (form) => explorer.set({ form }));
    this.show = dropdown("Show", [], set("show"));
    this.units = segmented("Units", { pieces: "pieces", words: "words" }, set("units"));
    /** @type {Option<Settings["between"]>[]} */
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
    this.compare = segmented("Compare", { sides: "side by side", difference: "difference" }, set("compare"));
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
    /** @param {number} step */
    const zoom = (step) => () => {
      for (const pane of panes()) if (pane instanceof MatrixPane) pane.enlarge(step);
    };
    this.zoom = element(
      "span",
      { class: "x-segmented", role: "group", "aria-label": "Size of cells" },
      button("−", zoom(-1), { "aria-label": "Smaller cells" }),
      button("fit", zoom(0)),
      button("+", zoom(1), { "aria-label": "Larger cells" }),
    );
    /** @param {string} text @param {HTMLInputElement} input */
    const field = (text, input) => element("label", { class: "x-field" }, element("span", {}, text), input);
    const isTwo = explorer.sides.length > 1;
    const hasPair = explorer.sides.some(({ text_pair: text }) => text !== null);
    this.element = element(
      "div",
      {},
      element("div", { class: "x-title" }, this.title, field("Layer", this.layer), field("Head", this.head), this.form),
      element(
        "div",
        { class: "x-bar" },
        this.show,
        this.units,
        hasPair && this.between,
        isTwo && explorer.meta.same_tokens && this.compare,
      ),
      element("div", { class: "x-bar" }, this.special, this.renormalise, this.mass, this.zoom),
    );
    this.note = element("p", { class: "x-note" });
    this.problem = element("p", { class: "x-problem", role: "alert", hidden: true });
  }

  /**
   * Make a field for the number of the layer or of the head.
   *
   * @param {"layer" | "head"} name
   * @param {string} label
   * @param {number} count
   */
  #makeStepper(name, label, count) {
    const { explorer } = this;
    const input = element("input", {
      type: "number",
      min: 0,
      max: count - 1,
      "aria-label": label,
      change: () => {
        const value = Math.max(0, Math.min(count - 1, Math.round(Number(input.value)) || 0));
        input.value = String(value);
        const { layer, head } = explorer.selected;
        if (name === "layer") explorer.select(value, head);
        else explorer.select(layer, value);
      },
    });
    return input;
  }

  /** @param {Set<Part>} parts */
  draw(parts) {
    const { explorer } = this;
    if (!hasAny(parts, "open", "settings", "head", "error")) return;
    const { settings, selected, form } = explorer;
    this.title.textContent = explorer.title;
    for (const name of /** @type {const} */ (["layer", "head"])) {
      if (!this[name].matches(":focus")) this[name].value = String(selected[name]); // what is being typed stays
    }
    this.form.pick(form);
    const count = settings.chosen.length;
    const { layer, head } = selected;
    /** @type {Option<Settings["show"]>[]} */
    const offered = [["head", `the head L${layer} H${head}`]];
    if (count > 1)
      offered.push(["mean", `mean of the ${count} chosen heads`], ["max", `maximum of the ${count} chosen heads`]);
    offered.push(["layer-mean", `mean of layer ${layer}`], ["layer-max", `maximum of layer ${layer}`]);
    offered.push(["all-mean", "mean of all heads"], ["all-max", "maximum of all heads"]);
    offered.push(["rollout", `rollout, layers 0 to ${layer}`]);
    this.show.offer(offered);
    this.show.pick(settings.show);
    this.units.pick(settings.units);
    this.between.pick(settings.between);
    this.special.pick(settings.special);
    this.special.input.disabled = settings.between !== "all";
    this.renormalise.pick(settings.renormalise);
    this.compare.pick(settings.compare);
    const mass = settings.mass[form];
    this.range.value = String(Math.round(100 * mass));
    this.output.textContent = `${Math.round(100 * mass)}%`;
    this.zoom.hidden = form !== "matrix";
    this.problem.textContent = explorer.error ?? "";
    this.problem.hidden = !explorer.error;
    if (explorer.shown) this.note.textContent = this.describe(explorer.shown);
  }

  /** Return what is shown and what is not, in sentences. @param {Shown[]} shown by side */
  describe(shown) {
    const { explorer } = this;
    const { settings, form } = explorer;
    const said = [];
    if (settings.show === "rollout")
      said.push(
        "Rollout (Abnar and Zuidema 2020): what of each token is in each token after the layer, if attention alone mixed them.",
      );
    if (settings.units === "words")
      said.push("To a word: the sum over its pieces; from a word: the mean over its pieces.");
    const kept = shown.map(({ kept: share }) => formatDecimal(share, 2)).join(" and ");
    if (settings.compare === "difference") said.push("Second minus first.");
    else if (settings.renormalise)
      said.push(`Rows are renormalised: divided by their sum over what is shown, ${kept} on average.`);
    else if (shown.every(({ whole }) => whole)) said.push("Rows add up to 1.");
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
  /** @param {Explorer} explorer */
  constructor(explorer) {
    this.explorer = explorer;
    this.ramp = makeRamp();
    this.legend = element("div", { class: "x-legend" });
    this.line = element("div", { class: "x-readout", "data-readout": "head" });
    this.strongest = element("ol", { class: "x-strongest", "aria-label": "Strongest pairs" });
    this.element = element("div", {}, this.legend, this.line, this.strongest);
  }

  /** @param {Set<Part>} parts */
  draw(parts) {
    const { shown } = this.explorer;
    if (!shown) return;
    if (hasAny(parts, "head", "theme", "open")) this.sum(shown);
    if (hasAny(parts, "head", "focus", "pins", "open")) this.read(shown);
  }

  /** Write the legend and the strongest pairs. @param {Shown[]} sides */
  sum(sides) {
    const { explorer } = this;
    const { signed } = sides[0];
    const peaks = [...new Set(sides.map(({ peak }) => formatNumber(peak)))];
    const most = peaks.join(" and ");
    this.ramp.style.background = new Scale(explorer.theme, signed).gradient();
    this.legend.hidden = explorer.form !== "matrix";
    this.legend.replaceChildren(signed ? `−${most}` : "0", this.ramp, `${signed ? "+" : ""}${most}, square-root scale`);
    this.strongest.replaceChildren();
    for (const [side, shown] of sides.entries()) {
      if (sides.length > 1) this.strongest.append(element("li", { class: "x-side" }, nameSide(side)));
      for (const [i, j] of shown.strongest(sides.length > 1 ? 4 : 6)) {
        this.strongest.append(
          element(
            "li",
            listData(shown, side, i, j),
            own(shown.rows[i].text),
            "→",
            own(shown.columns[j].text),
            element("span", {}, formatDecimal(shown.value(i, j), 3, shown.signed)),
          ),
        );
      }
    }
  }

  /** Write what is pointed at, on every side that has it. @param {Shown[]} sides */
  read(sides) {
    const { explorer } = this;
    const lines = sides.flatMap((shown, side) => {
      const { row, column } = explorer.focus[side];
      const name = sides.length > 1 && element("i", { class: "x-side" }, nameSide(side));
      if (row !== null && column !== null) {
        const weight = formatWithError(shown.value(row, column), shown.error(row, column), shown.signed);
        const words = [own(shown.rows[row].text), " → ", own(shown.columns[column].text), " "];
        const value = element("b", { class: "x-value" }, weight);
        return [element("span", listData(shown, side, row, column), name, ...words, value)];
      }
      if (row === null && column === null) return [];
      const data = { "data-side": side, "data-row": row, "data-column": column };
      return [element("span", data, name, ...this.#listStrongest(shown, row, column))];
    });
    const idle =
      explorer.form === "lines"
        ? "Point at a token for its lines alone; click to keep them, and more tokens with them."
        : "Point at a cell for its weight; click to keep its row and column.";
    this.line.replaceChildren(...(lines.length ? lines : [element("span", {}, idle)]));
    this.line.dataset.idle = String(!lines.length);
  }

  /**
   * Return what a row looks at most, or what looks at a column most.
   *
   * @param {Shown} shown
   * @param {number | null} row
   * @param {number | null} column one of the two is null
   */
  #listStrongest(shown, row, column) {
    const unit = row !== null ? shown.rows[row] : shown.columns[column ?? 0];
    /** @type {(Node | string)[]} */
    const nodes = [own(unit.text), row !== null ? " looks at " : " is looked at by "];
    for (const [place, [i, j]] of shown.strongest(6, { row, column }).entries()) {
      const other = row !== null ? shown.columns[j] : shown.rows[i];
      const value = formatDecimal(shown.value(i, j), 3, shown.signed);
      nodes.push(place ? ", " : "", own(other.text), " ", element("b", { class: "x-value" }, value));
    }
    return nodes;
  }
}

/** @param {number} side */
function nameSide(side) {
  return side ? "second" : "first";
}

/**
 * Return a weight as attributes.
 *
 * @param {Shown} shown
 * @param {number} side
 * @param {number} row
 * @param {number} column
 */
function listData(shown, side, row, column) {
  return {
    "data-side": side,
    "data-row": row,
    "data-column": column,
    "data-weight": shown.value(row, column),
    "data-error": shown.error(row, column),
  };
}
