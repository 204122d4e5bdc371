// @ts-nocheck: not typed yet
// A head as lines: tokens that look on the left, tokens that are looked at on the right.

import { Scale } from "./colours.js";
import { canvasOf, element, own, sized } from "./dom.js";
import { parted } from "./weights.js";

const LINES_HIGH = 620; // pixels that the rows may take before they scroll
const MANY = 2500; // lines from which on they are straight
const BINS = 12; // strengths that are told apart: each is one stroke of the pen

export class LinesPane {
  constructor(explorer, side) {
    this.explorer = explorer;
    this.side = side;
    this.canvas = canvasOf("x-threads");
    this.lists = {};
    for (const axis of ["rows", "columns"]) {
      const name = axis === "rows" ? "Tokens that look" : "Tokens that are looked at";
      this.lists[axis] = element("div", {
        class: `x-tokens x-${axis}`,
        role: "listbox",
        "aria-label": name,
        "aria-multiselectable": "true",
      });
    }
    this.inner = element("div", { class: "x-inner" }, this.canvas, this.lists.rows, this.lists.columns);
    this.element = element(
      "div",
      {
        class: "x-lines",
        scroll: () => this.paint(),
        pointerover: (event) => this.point(event.target),
        focusin: (event) => this.point(event.target),
        click: (event) => this.pin(event.target),
        keydown: (event) => this.key(event),
      },
      this.inner,
    );
  }

  get shown() {
    return this.explorer.shown?.[this.side];
  }

  draw(parts) {
    if (!this.shown || this.explorer.form !== "lines") return;
    if (["head", "open", "form"].some((part) => parts.has(part))) this.list();
    if (["head", "open", "form", "theme", "size"].some((part) => parts.has(part))) {
      this.layout();
      this.paint();
    } else if (parts.has("focus") || parts.has("pins")) {
      this.paint();
    }
  }

  /** The tokens as elements, made anew only when they are others. */
  list() {
    const { rows, columns } = this.shown;
    const key = JSON.stringify([rows, columns].map((units) => units.map(({ index, text }) => [index, text])));
    if (key === this.listed) return;
    this.listed = key;
    this.items = {};
    this.tinted = [];
    for (const [axis, units] of [
      ["rows", rows],
      ["columns", columns],
    ]) {
      this.items[axis] = units.map((unit, i) =>
        element(
          "div",
          {
            class: `x-token${parted(units, i) ? " x-border" : ""}`,
            role: "option",
            tabindex: i ? -1 : 0,
            "data-axis": axis,
            "data-unit": i,
            title: unit.text,
            translate: "no",
          },
          own(unit.text),
        ),
      );
      this.lists[axis].replaceChildren(...this.items[axis]);
    }
  }

  layout() {
    const { rows, columns } = this.shown;
    const count = Math.max(rows.length, columns.length, 1);
    this.step = count > 32 ? 20 : 26;
    this.inner.style.height = `${count * this.step}px`;
    this.element.style.setProperty("--step", `${this.step}px`);
    this.high = Math.min(count * this.step, LINES_HIGH);
    this.element.style.height = `${this.high}px`;
    this.wide = this.element.clientWidth;
    const [left, right] = ["rows", "columns"].map((axis) => this.lists[axis].getBoundingClientRect().width);
    this.from = left + 4;
    this.to = this.inner.clientWidth - right - 4;
  }

  /** Which rows and columns are pointed at or pinned; null where none is, so that all lines are shown. */
  picked() {
    const { explorer, side, shown } = this;
    const focus = explorer.focus[side];
    const found = {};
    for (const [axis, units, at] of [
      ["rows", shown.rows, focus.row],
      ["columns", shown.columns, focus.column],
    ]) {
      found[axis] = new Set(units.flatMap((unit, i) => (explorer.isPinned(side, axis, unit) ? [i] : [])));
      if (at !== null) found[axis].add(at);
    }
    // A cell of a matrix is a row and a column: in lines it is where the row looks.
    return found.rows.size || found.columns.size ? found : null;
  }

  /** The lines to draw, [row, column]: those of what is picked, or of all rows that are in sight. */
  edges(picked) {
    const { rows } = this.shown;
    const found = [];
    const top = this.element.scrollTop / this.step - 1;
    const bottom = top + this.high / this.step + 1;
    for (let i = 0; i < rows.length; i++) {
      const near = i >= top && i <= bottom;
      if (!picked ? !near : !picked.rows.has(i) && !picked.columns.size) continue;
      for (const j of this.shown.edges(i)) {
        if (!picked || picked.rows.has(i) || picked.columns.has(j)) found.push([i, j]);
      }
    }
    return found;
  }

  paint() {
    if (!this.shown || !this.step) return;
    const { explorer, shown } = this;
    const context = sized(this.canvas, this.inner.clientWidth, this.high);
    const picked = this.picked();
    const edges = this.edges(picked);
    const scale = new Scale(explorer.theme, true);
    const top = this.element.scrollTop;
    const middle = (this.from + this.to) / 2;
    const bins = new Map();
    for (const edge of edges) {
      const value = shown.value(...edge);
      const bin = Math.sign(value) * Math.max(1, Math.ceil((Math.abs(value) / shown.peak) * BINS));
      if (!bins.has(bin)) bins.set(bin, []);
      bins.get(bin).push(edge);
    }
    for (const [bin, list] of [...bins].sort(([a], [b]) => Math.abs(a) - Math.abs(b))) {
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
    this.tint(picked, edges);
  }

  /** Mark what is picked, and what its lines lead to by their weight. */
  tint(picked, edges) {
    for (const node of this.tinted) {
      node.classList.remove("x-picked", "x-pinned");
      node.style.removeProperty("--share");
      node.setAttribute("aria-selected", "false");
    }
    this.tinted = [];
    if (!picked) return;
    const { explorer, side, shown } = this;
    const share = { rows: new Map(), columns: new Map() };
    for (const [i, j] of edges) {
      const size = Math.abs(shown.value(i, j)) / shown.peak;
      if (picked.rows.has(i)) share.columns.set(j, Math.max(size, share.columns.get(j) ?? 0));
      if (picked.columns.has(j)) share.rows.set(i, Math.max(size, share.rows.get(i) ?? 0));
    }
    for (const axis of ["rows", "columns"]) {
      for (const [i, size] of share[axis]) {
        const node = this.items[axis][i];
        node.style.setProperty("--share", `${(8 + 52 * size).toFixed(0)}%`);
        this.tinted.push(node);
      }
      for (const i of picked[axis]) {
        const node = this.items[axis][i];
        node.classList.add("x-picked");
        if (explorer.isPinned(side, axis, shown[axis][i])) {
          node.classList.add("x-pinned");
          node.setAttribute("aria-selected", "true");
        }
        this.tinted.push(node);
      }
    }
  }

  place(target) {
    const node = target.closest?.(".x-token");
    return node && { axis: node.dataset.axis, unit: Number(node.dataset.unit), node };
  }

  point(target) {
    const place = this.place(target);
    if (!place) return;
    const { row, column } = this.explorer.focus[this.side];
    const [r, c] = place.axis === "rows" ? [place.unit, null] : [null, place.unit];
    if (r !== row || c !== column) this.explorer.point(this.side, r, c);
  }

  pin(target) {
    const place = this.place(target);
    if (place) this.explorer.pin(this.side, place.axis, this.shown[place.axis][place.unit]);
    else this.explorer.unpin();
  }

  key(event) {
    const place = this.place(event.target);
    if (!place) return;
    const other = { rows: "columns", columns: "rows" }[place.axis];
    const go = {
      ArrowUp: [place.axis, place.unit - 1],
      ArrowDown: [place.axis, place.unit + 1],
      PageUp: [place.axis, Math.max(0, place.unit - 10)],
      PageDown: [place.axis, place.unit + 10],
      Home: [place.axis, 0],
      End: [place.axis, Infinity],
      ArrowLeft: ["rows", place.unit],
      ArrowRight: ["columns", place.unit],
    }[event.key];
    if (go) {
      const [axis, unit] = go;
      const items = this.items[axis];
      const node = items[Math.max(0, Math.min(items.length - 1, unit))];
      if (axis === other || node !== place.node) {
        for (const item of items) if (item.tabIndex === 0) item.tabIndex = -1;
        node.tabIndex = 0;
        node.focus();
      }
    } else if (event.key === "Enter" || event.key === " ") this.pin(event.target);
    else return;
    event.preventDefault();
  }
}
