// @ts-nocheck: not typed yet
// A head as a matrix: rows look, columns are looked at. What is out of sight is not drawn.

import { Scale } from "./colours.js";
import { canvasOf, element, isRightToLeft, sized } from "./dom.js";
import { formatWithError } from "./numbers.js";
import { parted } from "./weights.js";

const CELL_LEAST = 3; // pixels of a cell that is not zoomed
const CELL_MOST = 34;
const CELL_TEXT = 11; // pixels of a cell from which on every label has room
const CELLS_HIGH = 560; // pixels that the cells may take before they scroll
const graphemes =
  typeof Intl.Segmenter === "function" ? new Intl.Segmenter(undefined, { granularity: "grapheme" }) : null;

export class MatrixPane {
  constructor(explorer, side) {
    this.explorer = explorer;
    this.side = side;
    this.base = canvasOf("x-layer");
    this.over = canvasOf("x-layer");
    this.extent = element("div", {});
    this.cell = element("div", { role: "gridcell", id: `x-active-cell-${side}` });
    this.row = element("div", { role: "row" }, this.cell);
    this.scroller = element(
      "div",
      {
        class: "x-scroller",
        role: "grid",
        tabindex: 0,
        "aria-label": "Attention from rows to columns",
        "aria-activedescendant": `x-active-cell-${side}`,
        scroll: () => this.paint(),
        pointermove: (event) => this.point(this.at(event)),
        click: (event) => this.pin(this.at(event)),
        keydown: (event) => this.key(event),
        focus: () => this.point([this.focus.row ?? 0, this.focus.column ?? 0]),
      },
      this.extent,
      element("div", { class: "x-unseen" }, this.row),
    );
    this.element = element("div", { class: "x-matrix" }, this.base, this.over, this.scroller);
    this.zoom = null; // pixels of a cell, or as many as there is room for
    this.widths = new Map();
  }

  get shown() {
    return this.explorer.shown?.[this.side];
  }

  get focus() {
    return this.explorer.focus[this.side];
  }

  draw(parts) {
    if (!this.shown || this.explorer.form !== "matrix") return;
    if (["head", "theme", "size", "form", "open"].some((part) => parts.has(part))) {
      this.picture();
      if (this.layout()) this.paint();
    } else if (parts.has("focus") || parts.has("pins")) {
      this.paintOver();
    }
  }

  /** One pixel a weight, to be drawn as large as it is needed. */
  picture() {
    const { rows, columns, values, peak, signed, mass } = this.shown;
    this.canvas ??= document.createElement("canvas");
    this.canvas.width = columns.length || 1;
    this.canvas.height = rows.length || 1;
    const context = this.canvas.getContext("2d");
    const image = context.createImageData(this.canvas.width, this.canvas.height);
    const pixels = new Uint32Array(image.data.buffer);
    const scale = new Scale(this.explorer.theme, signed);
    const paint = (at) => (pixels[at] = scale.pixels[scale.level(values[at], peak)]);
    if (mass >= 1) {
      for (let at = 0; at < values.length; at++) paint(at);
    } else {
      pixels.fill(scale.pixels[scale.level(0, peak)]);
      for (let i = 0; i < rows.length; i++) for (const j of this.shown.edges(i)) paint(i * columns.length + j);
    }
    context.putImageData(image, 0, 0);
    this.scale = scale;
  }

  layout() {
    const { rows, columns } = this.shown;
    const room = this.element.parentNode.clientWidth;
    if (!room) return false;
    const context = this.base.getContext("2d");
    context.font = this.font();
    const longest = (units) => units.reduce((most, { text }) => Math.max(most, this.width(context, text)), 0);
    this.left = Math.ceil(Math.min(longest(rows), room * 0.28, 150)) + 10;
    this.top = Math.ceil(Math.min(longest(columns), 130)) + 10;
    const ratio = window.devicePixelRatio || 1;
    const most = Math.min(
      (room - this.left - 2) / columns.length,
      Math.max(CELLS_HIGH / rows.length, CELL_LEAST),
      CELL_MOST,
    );
    this.fit = Math.max(CELL_LEAST, Math.floor(most * ratio) / ratio);
    this.size = this.zoom ?? this.fit;
    this.wide = Math.min(columns.length * this.size, room - this.left);
    this.high = Math.min(rows.length * this.size, CELLS_HIGH);
    Object.assign(this.scroller.style, {
      left: `${this.left}px`,
      top: `${this.top}px`,
      width: `${this.wide}px`,
      height: `${this.high}px`,
    });
    Object.assign(this.extent.style, {
      width: `${columns.length * this.size}px`,
      height: `${rows.length * this.size}px`,
    });
    // What is scrolled needs room for its bars.
    const [barX, barY] = [
      rows.length * this.size > this.high ? 12 : 0,
      columns.length * this.size > this.wide ? 12 : 0,
    ];
    this.scroller.style.width = `${Math.min(this.wide + barX, room - this.left)}px`;
    this.scroller.style.height = `${this.high + barY}px`;
    this.element.style.height = `${this.top + this.high + barY}px`;
    this.element.style.width = `${this.left + this.wide + barX}px`;
    this.scroller.setAttribute("aria-rowcount", rows.length);
    this.scroller.setAttribute("aria-colcount", columns.length);
    return true;
  }

  font(weight = "") {
    const size = Math.max(10, Math.min(13, (this.size ?? 13) + (this.size < CELL_TEXT ? 3 : -1)));
    return `${weight} ${size}px ${this.explorer.sans}`.trim();
  }

  width(context, text) {
    const key = context.font + text;
    if (!this.widths.has(key)) this.widths.set(key, context.measureText(text).width);
    return this.widths.get(key);
  }

  /** A label that fits, cut between graphemes. */
  cut(context, text, room) {
    if (this.width(context, text) <= room) return text;
    const whole = graphemes ? Array.from(graphemes.segment(text), ({ segment }) => segment) : Array.from(text);
    let count = whole.length - 1;
    while (count > 1 && this.width(context, `${whole.slice(0, count).join("")}…`) > room) count--;
    return `${whole.slice(0, count).join("")}…`;
  }

  paint() {
    if (!this.shown || !this.wide) return;
    const context = sized(this.base, this.left + this.wide, this.top + this.high);
    const { scrollLeft: x, scrollTop: y } = this.scroller;
    const { line, soft, paper, accent } = this.explorer;
    context.imageSmoothingEnabled = false;
    context.drawImage(
      this.canvas,
      x / this.size,
      y / this.size,
      this.wide / this.size,
      this.high / this.size,
      this.left,
      this.top,
      this.wide,
      this.high,
    );
    context.strokeStyle = line;
    context.strokeRect(this.left - 0.5, this.top - 0.5, this.wide + 1, this.high + 1);
    const every = this.size < CELL_TEXT ? Math.ceil(12 / this.size) : 1;
    for (const axis of this.axes()) {
      if (this.size >= 14) for (let i = 1; i < axis.units.length; i++) this.rule(context, axis, i, paper);
      const second = axis.units.findIndex((_, i) => parted(axis.units, i));
      if (second > 0) this.rule(context, axis, second, accent);
      context.font = this.font();
      context.fillStyle = soft;
      for (let i = 0; i < axis.units.length; i += every) this.label(context, axis, i);
    }
    this.paintOver();
  }

  /** Rows and columns as they are on screen: which are pinned, which is pointed at, what is scrolled and seen. */
  axes() {
    const { rows, columns } = this.shown;
    const { explorer, side, focus, scroller } = this;
    const pinned = (units, name) => units.flatMap((unit, i) => (explorer.isPinned(side, name, unit) ? [i] : []));
    return [
      {
        turned: false,
        units: rows,
        pins: pinned(rows, "rows"),
        at: focus.row,
        scroll: scroller.scrollTop,
        room: this.high,
      },
      {
        turned: true,
        units: columns,
        pins: pinned(columns, "columns"),
        at: focus.column,
        scroll: scroller.scrollLeft,
        room: this.wide,
      },
    ];
  }

  /** A hairline before a row or a column. */
  rule(context, { turned, scroll, room }, i, colour) {
    const at = i * this.size - scroll;
    if (at <= 0 || at >= room) return;
    context.fillStyle = colour;
    if (turned) context.fillRect(this.left + at - 0.5, this.top, 1, this.high);
    else context.fillRect(this.left, this.top + at - 0.5, this.wide, 1);
  }

  label(context, { turned, units, scroll, room }, i) {
    const at = (i + 0.5) * this.size - scroll;
    if (at < 0 || at > room) return;
    const { text } = units[i];
    context.save();
    context.direction = isRightToLeft(text) ? "rtl" : "ltr";
    context.textBaseline = "middle";
    context.textAlign = turned ? "left" : "right";
    context.translate(turned ? this.left + at : this.left - 6, turned ? this.top - 6 : this.top + at);
    if (turned) context.rotate(-Math.PI / 2);
    context.fillText(this.cut(context, text, (turned ? this.top : this.left) - 8), 0, 0.5);
    context.restore();
  }

  /** What is pinned and pointed at: frames around rows and columns, and their names. */
  paintOver() {
    if (!this.wide) return;
    const context = sized(this.over, this.left + this.wide, this.top + this.high);
    const { explorer, shown } = this;
    const axes = this.axes();
    const inCells = (draw) => {
      context.save();
      context.beginPath();
      context.rect(this.left - 1, this.top - 1, this.wide + 2, this.high + 2);
      context.clip();
      draw();
      context.restore();
    };
    for (const axis of axes) {
      for (const i of new Set(axis.at === null ? axis.pins : [...axis.pins, axis.at])) {
        const at = i * this.size - axis.scroll;
        context.strokeStyle = explorer.accent;
        inCells(() => {
          if (axis.turned) context.strokeRect(this.left + at + 0.5, this.top + 0.5, this.size - 1, this.high - 1);
          else context.strokeRect(this.left + 0.5, this.top + at + 0.5, this.wide - 1, this.size - 1);
        });
        this.name(context, axis, i);
      }
    }
    const [{ at: row, scroll: y }, { at: column, scroll: x }] = axes;
    if (row === null || column === null) return;
    context.strokeStyle = explorer.ink;
    context.lineWidth = 2;
    inCells(() =>
      context.strokeRect(this.left + column * this.size - x, this.top + row * this.size - y, this.size, this.size),
    );
    this.row.setAttribute("aria-rowindex", row + 1);
    this.cell.setAttribute("aria-colindex", column + 1);
    const weight = formatWithError(shown.value(row, column), shown.error(row, column), shown.signed);
    this.cell.textContent = `${shown.rows[row].text} to ${shown.columns[column].text}: ${weight}`;
  }

  /** A label in bold over whatever labels are in its place. */
  name(context, axis, i) {
    const at = (i + 0.5) * this.size - axis.scroll;
    if (at < 0 || at > axis.room) return;
    const deep = Math.max(8, Math.min(10, this.size / 2 + 1));
    context.fillStyle = this.explorer.paper;
    if (axis.turned) context.fillRect(this.left + at - deep, 0, 2 * deep, this.top - 2);
    else context.fillRect(0, this.top + at - deep, this.left - 2, 2 * deep);
    context.font = this.font("600");
    context.fillStyle = this.explorer.accent;
    this.label(context, axis, i);
  }

  at(event) {
    const box = this.scroller.getBoundingClientRect();
    const row = Math.floor((event.clientY - box.top + this.scroller.scrollTop) / this.size);
    const column = Math.floor((event.clientX - box.left + this.scroller.scrollLeft) / this.size);
    const { rows, columns } = this.shown;
    return row >= 0 && column >= 0 && row < rows.length && column < columns.length ? [row, column] : null;
  }

  point(place) {
    if (!place) return;
    const [row, column] = place;
    if (row !== this.focus.row || column !== this.focus.column) this.explorer.point(this.side, row, column);
  }

  pin(place) {
    if (!place) return;
    const { rows, columns } = this.shown;
    const [row, column] = [rows[place[0]], columns[place[1]]];
    const both = this.explorer.isPinned(this.side, "rows", row) && this.explorer.isPinned(this.side, "columns", column);
    this.explorer.pin(this.side, "rows", row, !both);
    this.explorer.pin(this.side, "columns", column, !both);
  }

  key(event) {
    const { rows, columns } = this.shown;
    let { row, column } = this.focus;
    row ??= 0;
    column ??= 0;
    const moves = {
      ArrowUp: [-1, 0],
      ArrowDown: [1, 0],
      ArrowLeft: [0, -1],
      ArrowRight: [0, 1],
      PageUp: [-10, 0],
      PageDown: [10, 0],
      Home: [0, -columns.length],
      End: [0, columns.length],
    };
    if (moves[event.key]) {
      row = Math.max(0, Math.min(rows.length - 1, row + moves[event.key][0]));
      column = Math.max(0, Math.min(columns.length - 1, column + moves[event.key][1]));
      this.point([row, column]);
      this.reveal(row, column);
    } else if (event.key === "Enter" || event.key === " ") this.pin([row, column]);
    else return;
    event.preventDefault();
  }

  /** Scroll a cell into sight. */
  reveal(row, column) {
    const into = (at, now, room) => Math.max(Math.min(now, at), at + this.size - room);
    this.scroller.scrollTop = into(row * this.size, this.scroller.scrollTop, this.high);
    this.scroller.scrollLeft = into(column * this.size, this.scroller.scrollLeft, this.wide);
  }

  /** Cells larger (1), smaller (-1), or as large as there is room for (0). */
  enlarge(step) {
    const sizes = [CELL_LEAST, 4, 6, 9, 13, 18, 25, CELL_MOST];
    if (step === 0) this.zoom = null;
    else if (step > 0) this.zoom = sizes.find((size) => size > this.size) ?? CELL_MOST;
    else this.zoom = sizes.reverse().find((size) => size < this.size) ?? CELL_LEAST;
    const { row, column } = this.focus;
    if (!this.layout()) return;
    if (row !== null && column !== null) this.reveal(row, column);
    this.paint();
  }
}
