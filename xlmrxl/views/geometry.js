// Where things stand on the map of heads and in the matrix of a head, in pixels. Nothing here draws.

const GAP = 2;
const LABELS_LEFT = 28; // for layer labels on the left of the map
const LABELS_TOP = 16; // and for head labels above it
export const CELL_LEAST = 3; // of a cell that is not zoomed
export const CELL_MOST = 34;
const CELL_SIZES = [CELL_LEAST, 4, 6, 9, 13, 18, 25, CELL_MOST];
const CELLS_HIGH = 560; // that the cells may take before they scroll
const BAR = 12; // of a scroll bar

/** The map of all heads: a square for each, row by row. */
export class MapGrid {
  /** @param {number} layers @param {number} heads of a layer @param {number} width that there is room for */
  constructor(layers, heads, width) {
    this.layers = layers;
    this.heads = heads;
    /** The edge of a square, and the way to the next one. */
    this.size = Math.max(6, Math.min(44, Math.floor((width - LABELS_LEFT) / heads) - GAP));
    this.step = this.size + GAP;
    this.left = LABELS_LEFT;
    this.top = LABELS_TOP;
    this.width = LABELS_LEFT + heads * this.step;
    this.height = LABELS_TOP + layers * this.step;
    this.gap = GAP;
  }

  /** Return the corner of a square. @param {number} place @returns {[x: number, y: number]} */
  corner(place) {
    return [this.left + (place % this.heads) * this.step, this.top + Math.floor(place / this.heads) * this.step];
  }

  /** Return the place of the square at a point, or null where there is none. @param {number} x @param {number} y */
  find(x, y) {
    const column = Math.floor((x - this.left + GAP / 2) / this.step);
    const row = Math.floor((y - this.top + GAP / 2) / this.step);
    const isInside = column >= 0 && column < this.heads && row >= 0 && row < this.layers;
    return isInside ? row * this.heads + column : null;
  }

  /**
   * Return the place that a key moves to, the same at the ends, or undefined where the key moves nothing.
   *
   * @param {string} key
   * @param {number} place
   * @param {boolean} isFar whether Home and End go to the ends of the map, not of the row
   */
  move(key, place, isFar) {
    const { heads } = this;
    const column = place % heads;
    const last = this.layers * heads - 1;
    /** @type {Record<string, number>} */
    const moves = {
      ArrowLeft: place - 1,
      ArrowRight: place + 1,
      ArrowUp: place - heads,
      ArrowDown: place + heads,
      Home: isFar ? 0 : place - column,
      End: isFar ? last : place - column + heads - 1,
      PageUp: Math.max(column, place - 6 * heads),
      PageDown: Math.min(last - heads + 1 + column, place + 6 * heads),
    };
    if (!Object.hasOwn(moves, key)) return undefined;
    return moves[key] >= 0 && moves[key] <= last ? moves[key] : place;
  }
}

/**
 * Where the cells of a matrix stand: `left` and `top` are for labels, `size` is the edge of a cell, `wide` and `high` are
 * what is seen of the cells, and the others the sizes of what holds them with the scroll bars.
 * @typedef {{ left: number, top: number, size: number, wide: number, high: number, scrollerWidth: number, scrollerHeight: number, width: number, height: number }} MatrixLayout
 */

/**
 * Lay out a matrix.
 *
 * @param {object} matrix
 * @param {number} matrix.rows how many
 * @param {number} matrix.columns
 * @param {number} matrix.rowLabels the width of the longest one
 * @param {number} matrix.columnLabels
 * @param {number} matrix.room the width that there is
 * @param {number} matrix.ratio pixels of the screen in one of these
 * @param {number | null} matrix.zoom the edge of a cell, or as much as there is room for
 * @returns {MatrixLayout}
 */
export function layOutMatrix({ rows, columns, rowLabels, columnLabels, room, ratio, zoom }) {
  const left = Math.ceil(Math.min(rowLabels, room * 0.28, 150)) + 10;
  const top = Math.ceil(Math.min(columnLabels, 130)) + 10;
  const most = Math.min((room - left - 2) / columns, Math.max(CELLS_HIGH / rows, CELL_LEAST), CELL_MOST);
  const size = zoom ?? Math.max(CELL_LEAST, Math.floor(most * ratio) / ratio);
  const wide = Math.min(columns * size, room - left);
  const high = Math.min(rows * size, CELLS_HIGH);
  const barX = rows * size > high ? BAR : 0;
  const barY = columns * size > wide ? BAR : 0;
  return {
    left,
    top,
    size,
    wide,
    high,
    scrollerWidth: Math.min(wide + barX, room - left),
    scrollerHeight: high + barY,
    width: left + wide + barX,
    height: top + high + barY,
  };
}

/** Return the next size of cells, larger (1) or smaller (-1). @param {number} size @param {number} step */
export function zoomCells(size, step) {
  if (step > 0) return CELL_SIZES.find((other) => other > size) ?? CELL_MOST;
  return [...CELL_SIZES].reverse().find((other) => other < size) ?? CELL_LEAST;
}

/**
 * Return the cell that a key moves to, or undefined where the key moves nothing.
 *
 * @param {string} key
 * @param {[row: number, column: number]} cell
 * @param {[rows: number, columns: number]} count
 * @returns {[row: number, column: number] | undefined}
 */
export function moveCell(key, [row, column], [rows, columns]) {
  /** @type {Record<string, [number, number]>} */
  const moves = {
    ArrowUp: [-1, 0],
    ArrowDown: [1, 0],
    ArrowLeft: [0, -1],
    ArrowRight: [0, 1],
    PageUp: [-10, 0],
    PageDown: [10, 0],
    Home: [0, -columns],
    End: [0, columns],
  };
  if (!Object.hasOwn(moves, key)) return undefined;
  const [down, right] = moves[key];
  return [Math.max(0, Math.min(rows - 1, row + down)), Math.max(0, Math.min(columns - 1, column + right))];
}

/**
 * Return how far to scroll so that a cell is in sight.
 *
 * @param {number} begin of the cell
 * @param {number} size of the cell
 * @param {number} scroll how far it is scrolled
 * @param {number} room that is in sight
 */
export function scrollInto(begin, size, scroll, room) {
  return Math.max(Math.min(scroll, begin), begin + size - room);
}
