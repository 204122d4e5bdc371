// A head as a matrix: rows look, columns are looked at. What is out of sight is not drawn.

import { Scale } from "./colours.js";
import { element, getContext, isRightToLeft, makeCanvas, resizeCanvas } from "./dom.js";
import { hasAny } from "./explorer.js";
import { layOutMatrix, moveCell, scrollInto, zoomCells } from "./geometry.js";
import { formatWithError } from "./numbers.js";
import { beginsSecond } from "./weights.js";

/** @import { Explorer, Part } from "./explorer.js" */
/** @import { MatrixLayout } from "./geometry.js" */
/** @import { Shown, Unit } from "./weights.js" */

/**
 * Rows or columns as they are on screen: which are pinned, which is pointed at, how far they are scrolled, and how much of
 * them is in sight.
 * @typedef {{ turned: boolean, units: Unit[], pins: number[], at: number | null, scroll: number, room: number }} AxisView
 */

const CELL_TEXT = 11; // pixels of a cell from which on every label has room
const CELL_RULE = 14; // and hairlines between cells
const graphemes =
  typeof Intl.Segmenter === "function" ? new Intl.Segmenter(undefined, { granularity: "grapheme" }) : null;

export class MatrixPane {
  /** Pixels of a cell; null for as many as there is room for. @type {number | null} */
  zoom = null;
  /** Null until there is room. @type {MatrixLayout | null} */
  layout = null;
  /** Of texts, by font and text. @type {Map<string, number>} */
  widths = new Map();
  /** One pixel a weight, to be drawn as large as it is needed. */
  canvas = document.createElement("canvas");

  /** @param {Explorer} explorer @param {number} side */
  constructor(explorer, side) {
    this.explorer = explorer;
    this.side = side;
    this.base = makeCanvas("x-layer");
    this.over = makeCanvas("x-layer");
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
  }

  get shown() {
    return this.explorer.shown?.[this.side];
  }

  get focus() {
    return this.explorer.focus[this.side];
  }

  /** @param {Set<Part>} parts */
  draw(parts) {
    const { shown } = this;
    if (!shown || this.explorer.form !== "matrix") return;
    if (hasAny(parts, "head", "theme", "size", "form", "open")) {
      this.picture(shown);
      this.resize(shown);
      this.paint();
    } else if (hasAny(parts, "focus", "pins")) {
      this.paintOver();
    }
  }

  /** Draw the weights, a pixel each. @param {Shown} shown */
  picture(shown) {
    const { rows, columns, values, peak, signed, mass } = shown;
    this.canvas.width = columns.length || 1;
    this.canvas.height = rows.length || 1;
    const context = getContext(this.canvas);
    const image = context.createImageData(this.canvas.width, this.canvas.height);
    const pixels = new Uint32Array(image.data.buffer);
    const scale = new Scale(this.explorer.theme, signed);
    /** @param {number} at */
    const paint = (at) => {
      pixels[at] = scale.pixels[scale.level(values[at], peak)];
    };
    if (mass >= 1) {
      for (let at = 0; at < values.length; at++) paint(at);
    } else {
      pixels.fill(scale.pixels[scale.level(0, peak)]);
      for (let i = 0; i < rows.length; i++) for (const j of shown.edges(i)) paint(i * columns.length + j);
    }
    context.putImageData(image, 0, 0);
  }

  /** Make room for what is shown, where the pane has any. @param {Shown} shown */
  resize({ rows, columns }) {
    const room = this.element.parentElement?.clientWidth;
    if (!room) return;
    const context = getContext(this.base);
    context.font = this.font();
    /** @param {Unit[]} units */
    const longest = (units) => units.reduce((most, { text }) => Math.max(most, this.width(context, text)), 0);
    const layout = layOutMatrix({
      rows: rows.length,
      columns: columns.length,
      rowLabels: longest(rows),
      columnLabels: longest(columns),
      room,
      ratio: window.devicePixelRatio || 1,
      zoom: this.zoom,
    });
    this.layout = layout;
    const { left, top, size } = layout;
    Object.assign(this.scroller.style, {
      left: `${left}px`,
      top: `${top}px`,
      width: `${layout.scrollerWidth}px`,
      height: `${layout.scrollerHeight}px`,
    });
    Object.assign(this.extent.style, { width: `${columns.length * size}px`, height: `${rows.length * size}px` });
    Object.assign(this.element.style, { width: `${layout.width}px`, height: `${layout.height}px` });
    this.scroller.setAttribute("aria-rowcount", String(rows.length));
    this.scroller.setAttribute("aria-colcount", String(columns.length));
  }

  font(weight = "") {
    const cell = this.layout?.size;
    const size = cell === undefined ? 12 : Math.max(10, Math.min(13, cell + (cell < CELL_TEXT ? 3 : -1)));
    return `${weight} ${size}px ${this.explorer.sans}`.trim();
  }

  /** Return the width of a text. @param {CanvasRenderingContext2D} context @param {string} text */
  width(context, text) {
    const key = context.font + text;
    const width = this.widths.get(key) ?? context.measureText(text).width;
    this.widths.set(key, width);
    return width;
  }

  /**
   * Return a label that fits, cut between graphemes.
   *
   * @param {CanvasRenderingContext2D} context
   * @param {string} text
   * @param {number} room
   */
  cut(context, text, room) {
    if (this.width(context, text) <= room) return text;
    const whole = graphemes ? Array.from(graphemes.segment(text), ({ segment }) => segment) : Array.from(text);
    let count = whole.length - 1;
    while (count > 1 && this.width(context, `${whole.slice(0, count).join("")}…`) > room) count--;
    return `${whole.slice(0, count).join("")}…`;
  }

  paint() {
    const { layout, shown } = this;
    if (!shown || !layout) return;
    const { left, top, size, wide, high } = layout;
    const context = resizeCanvas(this.base, left + wide, top + high);
    const { scrollLeft: x, scrollTop: y } = this.scroller;
    const { line, soft, paper, accent } = this.explorer;
    context.imageSmoothingEnabled = false;
    context.drawImage(this.canvas, x / size, y / size, wide / size, high / size, left, top, wide, high);
    context.strokeStyle = line;
    context.strokeRect(left - 0.5, top - 0.5, wide + 1, high + 1);
    const every = size < CELL_TEXT ? Math.ceil(12 / size) : 1;
    for (const axis of this.axes(shown, layout)) {
      const { units } = axis;
      if (size >= CELL_RULE) for (let i = 1; i < units.length; i++) this.rule(context, layout, axis, i, paper);
      const second = units.findIndex((_, i) => beginsSecond(units, i));
      if (second > 0) this.rule(context, layout, axis, second, accent);
      context.font = this.font();
      context.fillStyle = soft;
      for (let i = 0; i < units.length; i += every) this.label(context, layout, axis, i);
    }
    this.paintOver();
  }

  /** Return rows and columns as they are on screen. @param {Shown} shown @param {MatrixLayout} layout @returns {[AxisView, AxisView]} */
  axes({ rows, columns }, { wide, high }) {
    const { explorer, side, focus, scroller } = this;
    /** @param {Unit[]} units @param {"rows" | "columns"} name */
    const pinned = (units, name) => units.flatMap((unit, i) => (explorer.isPinned(side, name, unit) ? [i] : []));
    return [
      {
        turned: false,
        units: rows,
        pins: pinned(rows, "rows"),
        at: focus.row,
        scroll: scroller.scrollTop,
        room: high,
      },
      {
        turned: true,
        units: columns,
        pins: pinned(columns, "columns"),
        at: focus.column,
        scroll: scroller.scrollLeft,
        room: wide,
      },
    ];
  }

  /**
   * Draw a hairline before a row or a column.
   *
   * @param {CanvasRenderingContext2D} context
   * @param {MatrixLayout} layout
   * @param {AxisView} axis
   * @param {number} i
   * @param {string} colour
   */
  rule(context, { left, top, size, wide, high }, { turned, scroll, room }, i, colour) {
    const at = i * size - scroll;
    if (at <= 0 || at >= room) return;
    context.fillStyle = colour;
    if (turned) context.fillRect(left + at - 0.5, top, 1, high);
    else context.fillRect(left, top + at - 0.5, wide, 1);
  }

  /**
   * Draw the label of a row or a column.
   *
   * @param {CanvasRenderingContext2D} context
   * @param {MatrixLayout} layout
   * @param {AxisView} axis
   * @param {number} i
   */
  label(context, { left, top, size }, { turned, units, scroll, room }, i) {
    const at = (i + 0.5) * size - scroll;
    if (at < 0 || at > room) return;
    const { text } = units[i];
    context.save();
    context.direction = isRightToLeft(text) ? "rtl" : "ltr";
    context.textBaseline = "middle";
    context.textAlign = turned ? "left" : "right";
    context.translate(turned ? left + at : left - 6, turned ? top - 6 : top + at);
    if (turned) context.rotate(-Math.PI / 2);
    context.fillText(this.cut(context, text, (turned ? top : left) - 8), 0, 0.5);
    context.restore();
  }

  /** Draw what is pinned and pointed at: frames around rows and columns, and their names. */
  paintOver() {
    const { explorer, layout, shown } = this;
    if (!layout || !shown) return;
    const { left, top, size, wide, high } = layout;
    const context = resizeCanvas(this.over, left + wide, top + high);
    const axes = this.axes(shown, layout);
    /** @param {() => void} draw */
    const inCells = (draw) => {
      context.save();
      context.beginPath();
      context.rect(left - 1, top - 1, wide + 2, high + 2);
      context.clip();
      draw();
      context.restore();
    };
    for (const axis of axes) {
      for (const i of new Set(axis.at === null ? axis.pins : [...axis.pins, axis.at])) {
        const at = i * size - axis.scroll;
        context.strokeStyle = explorer.accent;
        inCells(() => {
          if (axis.turned) context.strokeRect(left + at + 0.5, top + 0.5, size - 1, high - 1);
          else context.strokeRect(left + 0.5, top + at + 0.5, wide - 1, size - 1);
        });
        this.name(context, layout, axis, i);
      }
    }
    const [{ at: row, scroll: y }, { at: column, scroll: x }] = axes;
    if (row === null || column === null) return;
    context.strokeStyle = explorer.ink;
    context.lineWidth = 2;
    inCells(() => context.strokeRect(left + column * size - x, top + row * size - y, size, size));
    this.row.setAttribute("aria-rowindex", String(row + 1));
    this.cell.setAttribute("aria-colindex", String(column + 1));
    const weight = formatWithError(shown.value(row, column), shown.error(row, column), shown.signed);
    this.cell.textContent = `${shown.rows[row].text} to ${shown.columns[column].text}: ${weight}`;
  }

  /**
   * Draw a label in bold over whatever labels are in its place.
   *
   * @param {CanvasRenderingContext2D} context
   * @param {MatrixLayout} layout
   * @param {AxisView} axis
   * @param {number} i
   */
  name(context, layout, axis, i) {
    const { left, top, size } = layout;
    const at = (i + 0.5) * size - axis.scroll;
    if (at < 0 || at > axis.room) return;
    const deep = Math.max(8, Math.min(10, size / 2 + 1));
    context.fillStyle = this.explorer.paper;
    if (axis.turned) context.fillRect(left + at - deep, 0, 2 * deep, top - 2);
    else context.fillRect(0, top + at - deep, left - 2, 2 * deep);
    context.font = this.font("600");
    context.fillStyle = this.explorer.accent;
    this.label(context, layout, axis, i);
  }

  /** Return the cell that an event is about, or null. @param {MouseEvent} event @returns {[row: number, column: number] | null} */
  at(event) {
    const { layout, scroller, shown } = this;
    if (!layout || !shown) return null;
    const box = scroller.getBoundingClientRect();
    const row = Math.floor((event.clientY - box.top + scroller.scrollTop) / layout.size);
    const column = Math.floor((event.clientX - box.left + scroller.scrollLeft) / layout.size);
    const isInside = row >= 0 && column >= 0 && row < shown.rows.length && column < shown.columns.length;
    return isInside ? [row, column] : null;
  }

  /** @param {[row: number, column: number] | null} place */
  point(place) {
    if (!place) return;
    const [row, column] = place;
    if (row !== this.focus.row || column !== this.focus.column) this.explorer.point(this.side, row, column);
  }

  /** @param {[row: number, column: number] | null} place */
  pin(place) {
    const { explorer, shown, side } = this;
    if (!place || !shown) return;
    const [row, column] = [shown.rows[place[0]], shown.columns[place[1]]];
    const arePinned = explorer.isPinned(side, "rows", row) && explorer.isPinned(side, "columns", column);
    explorer.pin(side, "rows", row, !arePinned);
    explorer.pin(side, "columns", column, !arePinned);
  }

  /** @param {KeyboardEvent} event */
  key(event) {
    const { shown } = this;
    if (!shown) return;
    /** @type {[number, number]} */
    const cell = [this.focus.row ?? 0, this.focus.column ?? 0];
    const moved = moveCell(event.key, cell, [shown.rows.length, shown.columns.length]);
    if (moved) {
      this.point(moved);
      this.reveal(moved);
    } else if (event.key === "Enter" || event.key === " ") this.pin(cell);
    else return;
    event.preventDefault();
  }

  /** Scroll a cell into sight. @param {[row: number, column: number]} cell */
  reveal([row, column]) {
    const { layout, scroller } = this;
    if (!layout) return;
    const { size, wide, high } = layout;
    scroller.scrollTop = scrollInto(row * size, size, scroller.scrollTop, high);
    scroller.scrollLeft = scrollInto(column * size, size, scroller.scrollLeft, wide);
  }

  /** Draw cells larger (1), smaller (-1), or as large as there is room for (0). @param {number} step */
  enlarge(step) {
    const { layout, shown } = this;
    if (!layout || !shown) return;
    this.zoom = step === 0 ? null : zoomCells(layout.size, step);
    this.resize(shown);
    const { row, column } = this.focus;
    if (row !== null && column !== null) this.reveal([row, column]);
    this.paint();
  }
}
