// A head as lines: tokens that look on the left, tokens that are looked at on the right.

import { Scale } from "./colours.js";
import { element, makeCanvas, own, resizeCanvas } from "./dom.js";
import { hasAny } from "./explorer.js";
import { beginsSecond } from "./weights.js";

/** @import { Explorer, Part } from "./explorer.js" */
/** @import { Shown } from "./weights.js" */

/** @typedef {"rows" | "columns"} Axis */
/** Places among rows and columns. @typedef {{ rows: Set<number>, columns: Set<number> }} Picked */
/** @typedef {[row: number, column: number]} Edge */

/** @type {Axis[]} */
const AXES = ["rows", "columns"];
const LINES_HIGH = 620; // pixels that the rows may take before they scroll
const MANY = 2500; // lines from which on they are straight
const BINS = 12; // strengths that are told apart: each is one stroke of the pen

/**
 * List the lines to draw: those of what is picked, or of all rows that are in sight.
 *
 * @param {Shown} shown
 * @param {Picked | null} picked
 * @param {number} top the first row that is in sight
 * @param {number} bottom the last one
 * @returns {Edge[]}
 */
export function listEdges(shown, picked, top, bottom) {
  /** @type {Edge[]} */
  const found = [];
  for (let i = 0; i < shown.rows.length; i++) {
    const isSkipped = picked ? !picked.rows.has(i) && !picked.columns.size : i < top || i > bottom;
    if (isSkipped) continue;
    for (const j of shown.edges(i)) {
      if (!picked || picked.rows.has(i) || picked.columns.has(j)) found.push([i, j]);
    }
  }
  return found;
}

/**
 * Sort lines into bins by their strength, weakest first; those of negative weights have negative bins.
 *
 * @param {Shown} shown
 * @param {Edge[]} edges
 * @returns {[bin: number, edges: Edge[]][]}
 */
export function binEdges(shown, edges) {
  /** @type {Map<number, Edge[]>} */
  const bins = new Map();
  for (const edge of edges) {
    const value = shown.value(...edge);
    const bin = Math.sign(value) * Math.max(1, Math.ceil((Math.abs(value) / shown.peak) * BINS));
    const list = bins.get(bin);
    if (list) list.push(edge);
    else bins.set(bin, [edge]);
  }
  return [...bins].sort(([a], [b]) => Math.abs(a) - Math.abs(b));
}

/**
 * Return where a key moves the focus to, or undefined where it moves nowhere; places beyond the ends are those.
 *
 * @param {string} key
 * @param {Axis} axis
 * @param {number} unit
 * @returns {[axis: Axis, unit: number] | undefined}
 */
export function moveFocus(key, axis, unit) {
  /** @type {Record<string, [Axis, number]>} */
  const moves = {
    ArrowUp: [axis, unit - 1],
    ArrowDown: [axis, unit + 1],
    PageUp: [axis, unit - 10],
    PageDown: [axis, unit + 10],
    Home: [axis, 0],
    End: [axis, Infinity],
    ArrowLeft: ["rows", unit],
    ArrowRight: ["columns", unit],
  };
  return Object.hasOwn(moves, key) ? moves[key] : undefined;
}

export class LinesPane {
  /** What the items are of. */
  listed = "";
  /** @type {Record<Axis, HTMLElement[]>} */
  items = { rows: [], columns: [] };
  /** Items that are marked. @type {HTMLElement[]} */
  tinted = [];
  /** Pixels of a row, of what is in sight, and where lines begin and end. */
  step = 0;
  high = 0;
  from = 0;
  to = 0;

  /** @param {Explorer} explorer @param {number} side */
  constructor(explorer, side) {
    this.explorer = explorer;
    this.side = side;
    this.canvas = makeCanvas("x-threads");
    /** @param {Axis} axis @param {string} name */
    const makeList = (axis, name) =>
      element("div", {
        class: `x-tokens x-${axis}`,
        role: "listbox",
        "aria-label": name,
        "aria-multiselectable": "true",
      });
    this.lists = {
      rows: makeList("rows", "Tokens that look"),
      columns: makeList("columns", "Tokens that are looked at"),
    };
    this.inner = element("div", { class: "x-inner" }, this.canvas, this.lists.rows, this.lists.columns);
    this.element = element(
      "div",
      {
        class: "x-lines",
        scroll: () => this.paint(),
        pointerover: ({ target }) => this.point(target),
        focusin: ({ target }) => this.point(target),
        click: ({ target }) => this.pin(target),
        keydown: (event) => this.key(event),
      },
      this.inner,
    );
  }

  get shown() {
    return this.explorer.shown?.[this.side];
  }

  /** @param {Set<Part>} parts */
  draw(parts) {
    const { shown } = this;
    if (!shown || this.explorer.form !== "lines") return;
    if (hasAny(parts, "head", "open", "form")) this.list(shown);
    if (hasAny(parts, "head", "open", "form", "theme", "size")) {
      this.layout(shown);
      this.paint();
    } else if (hasAny(parts, "focus", "pins")) {
      this.paint();
    }
  }

  /** Make the tokens as elements, anew only when they are others. @param {Shown} shown */
  list(shown) {
    const key = JSON.stringify(AXES.map((axis) => shown[axis].map(({ index, text }) => [index, text])));
    if (key === this.listed) return;
    this.listed = key;
    this.tinted = [];
    for (const axis of AXES) {
      const units = shown[axis];
      this.items[axis] = units.map(({ text }, i) =>
        element(
          "div",
          {
            class: `x-token${beginsSecond(units, i) ? " x-border" : ""}`,
            role: "option",
            tabindex: i ? -1 : 0,
            "data-axis": axis,
            "data-unit": i,
            title: text,
            translate: "no",
          },
          own(text),
        ),
      );
      this.lists[axis].replaceChildren(...this.items[axis]);
    }
  }

  /** @param {Shown} shown */
  layout({ rows, columns }) {
    const count = Math.max(rows.length, columns.length, 1);
    this.step = count > 32 ? 20 : 26;
    this.inner.style.height = `${count * this.step}px`;
    this.element.style.setProperty("--step", `${this.step}px`);
    this.high = Math.min(count * this.step, LINES_HIGH);
    this.element.style.height = `${this.high}px`;
    const [left, right] = AXES.map((axis) => this.lists[axis].getBoundingClientRect().width);
    this.from = left + 4;
    this.to = this.inner.clientWidth - right - 4;
  }

  /**
   * Return which rows and columns are pointed at or pinned; null where none is, so that all lines are shown.
   *
   * @returns {Picked | null}
   */
  picked() {
    const { explorer, side, shown } = this;
    if (!shown) return null;
    const { row, column } = explorer.focus[side];
    /** @param {Axis} axis @param {number | null} place */
    const pick = (axis, place) => {
      const pinned = shown[axis].flatMap((unit, i) => (explorer.isPinned(side, axis, unit) ? [i] : []));
      return new Set(place === null ? pinned : [...pinned, place]);
    };
    const found = { rows: pick("rows", row), columns: pick("columns", column) };
    return found.rows.size || found.columns.size ? found : null;
  }

  paint() {
    const { explorer, shown } = this;
    if (!shown || !this.step) return;
    const context = resizeCanvas(this.canvas, this.inner.clientWidth, this.high);
    const picked = this.picked();
    const top = this.element.scrollTop;
    const edges = listEdges(shown, picked, top / this.step - 1, (top + this.high) / this.step);
    const scale = new Scale(explorer.theme, true);
    const middle = (this.from + this.to) / 2;
    for (const [bin, list] of binEdges(shown, edges)) {
      const strength = Math.abs(bin) / BINS;
      context.strokeStyle = shown.signed ? scale.css(bin < 0 ? 0.12 : 0.88) : explorer.accent;
      context.globalAlpha = 0.12 + 0.78 * strength;
      context.lineWidth = 0.75 + 2.25 * strength;
      context.beginPath();
      for (const [i, j] of list) {
        const [y, to] = [(i + 0.5) * this.step - top, (j + 0.5) * this.step - top];
        context.moveTo(this.from, y);
        if (edges.length > MANY) context.lineTo(this.to, to);
        else context.bezierCurveTo(middle, y, middle, to, this.to, to);
      }
      context.stroke();
    }
    this.tint(shown, picked, edges);
  }

  /**
   * Mark what is picked, and what its lines lead to by their weight.
   *
   * @param {Shown} shown
   * @param {Picked | null} picked
   * @param {Edge[]} edges
   */
  tint(shown, picked, edges) {
    for (const node of this.tinted) {
      node.classList.remove("x-picked", "x-pinned");
      node.style.removeProperty("--share");
      node.setAttribute("aria-selected", "false");
    }
    this.tinted = [];
    if (!picked) return;
    /** @type {Record<Axis, Map<number, number>>} */
    const shares = { rows: new Map(), columns: new Map() };
    for (const [i, j] of edges) {
      const size = Math.abs(shown.value(i, j)) / shown.peak;
      if (picked.rows.has(i)) shares.columns.set(j, Math.max(size, shares.columns.get(j) ?? 0));
      if (picked.columns.has(j)) shares.rows.set(i, Math.max(size, shares.rows.get(i) ?? 0));
    }
    for (const axis of AXES) {
      for (const [i, size] of shares[axis]) {
        const node = this.items[axis][i];
        node.style.setProperty("--share", `${(8 + 52 * size).toFixed(0)}%`);
        this.tinted.push(node);
      }
      for (const i of picked[axis]) {
        const node = this.items[axis][i];
        node.classList.add("x-picked");
        if (this.explorer.isPinned(this.side, axis, shown[axis][i])) {
          node.classList.add("x-pinned");
          node.setAttribute("aria-selected", "true");
        }
        this.tinted.push(node);
      }
    }
  }

  /** Return which token an event is about, or null. @param {EventTarget | null} target */
  place(target) {
    const node = target instanceof Element ? target.closest(".x-token") : null;
    if (!(node instanceof HTMLElement)) return null;
    return { axis: /** @type {Axis} */ (node.dataset.axis), unit: Number(node.dataset.unit), node };
  }

  /** @param {EventTarget | null} target */
  point(target) {
    const place = this.place(target);
    if (!place) return;
    const { row, column } = this.explorer.focus[this.side];
    const [r, c] = place.axis === "rows" ? [place.unit, null] : [null, place.unit];
    if (r !== row || c !== column) this.explorer.point(this.side, r, c);
  }

  /** @param {EventTarget | null} target */
  pin(target) {
    const place = this.place(target);
    if (place && this.shown) this.explorer.pin(this.side, place.axis, this.shown[place.axis][place.unit]);
    else this.explorer.unpin();
  }

  /** @param {KeyboardEvent} event */
  key(event) {
    const place = this.place(event.target);
    if (!place) return;
    const move = moveFocus(event.key, place.axis, place.unit);
    if (move) {
      const [axis, unit] = move;
      const items = this.items[axis];
      const node = items[Math.max(0, Math.min(items.length - 1, unit))];
      if (node !== place.node) {
        for (const item of items) if (item.tabIndex === 0) item.tabIndex = -1;
        node.tabIndex = 0;
        node.focus();
      }
    } else if (event.key === "Enter" || event.key === " ") this.pin(event.target);
    else return;
    event.preventDefault();
  }
}
