// From bytes to numbers, and from a head's weights to what is shown of them. Nothing here draws.

/** @import { Bytes, Matrix, Segment, Settings, Side } from "./protocol" */

/**
 * A token or a word, as a row or a column of what is shown: `index` is its place among the tokens or words of the text,
 * `tokens` are those that it consists of.
 * @typedef {{ index: number, text: string, tokens: number[], segment: Segment }} Unit
 */

/** What of the settings decides what is shown of a matrix; `mass` is that of the form. @typedef {Pick<Settings, "units" | "between" | "special" | "renormalise"> & { mass: number }} ShownSettings */

/** Return the bytes of a buffer as a model hands it over: base64, DataView, ArrayBuffer or typed array. @param {Bytes} value */
export function toBytes(value) {
  if (typeof value === "string") return Uint8Array.from(atob(value), (c) => c.charCodeAt(0));
  if (value instanceof ArrayBuffer) return new Uint8Array(value);
  return new Uint8Array(/** @type {ArrayBuffer} */ (value.buffer), value.byteOffset, value.byteLength);
}

/** Inflate a buffer. @param {Bytes} value @returns {Promise<ArrayBuffer>} */
function inflate(value) {
  const stream = new Blob([toBytes(value)]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Response(stream).arrayBuffer();
}

/** Unpack float32 numbers. @param {Bytes} value */
export async function unpackFloats(value) {
  return new Float32Array(await inflate(value));
}

/**
 * Return levels as values.
 *
 * @param {Float32Array} scales one for each row
 * @param {Uint8Array} levels of all rows
 */
function scaleLevels(scales, levels) {
  const values = new Float32Array(levels.length);
  const size = levels.length / scales.length;
  for (let row = 0, at = 0; row < scales.length; row++) {
    for (const end = at + size; at < end; at++) values[at] = levels[at] * scales[row];
  }
  return values;
}

/** Unpack thumbnails. @param {Bytes} value @param {number} count @param {number} size cells of each */
export async function unpackThumbnails(value, count, size) {
  const buffer = await inflate(value);
  return scaleLevels(new Float32Array(buffer, 0, count), new Uint8Array(buffer, 4 * count, count * size));
}

const FINE = 65535; // the unit of the weights on special tokens

/** Unpack a matrix of a side. @param {Bytes} value @param {Side} side @returns {Promise<Matrix>} */
export async function unpackMatrix(value, side) {
  const size = side.tokens.text.length;
  const special = side.tokens.segment.flatMap((segment, i) => (segment === null ? [i] : []));
  const buffer = await inflate(value);
  const scales = new Float32Array(buffer, 0, size);
  const fine = new Uint16Array(buffer, 4 * size, size * special.length);
  const values = scaleLevels(scales, new Uint8Array(buffer, 4 * size + 2 * fine.length, size * size));
  fine.forEach((weight, at) => {
    values[Math.floor(at / special.length) * size + special[at % special.length]] = weight / FINE;
  });
  return { values, errors: scales.map((scale) => scale / 2) };
}

/**
 * Combine several heads into one: their mean, or the maximum of each weight. The errors are those of what went in.
 *
 * @param {Matrix[]} matrices
 * @param {"mean" | "max"} kind
 * @returns {Matrix}
 */
export function combine(matrices, kind) {
  const [first, ...rest] = matrices;
  const values = first.values.slice();
  const errors = first.errors.slice();
  /** @param {Float32Array} to @param {Float32Array} from */
  const add = (to, from) => {
    for (let at = 0; at < to.length; at++) to[at] = kind === "max" ? Math.max(to[at], from[at]) : to[at] + from[at];
  };
  for (const matrix of rest) {
    add(values, matrix.values);
    add(errors, matrix.errors);
  }
  if (kind === "max") return { values, errors };
  return { values: values.map((v) => v / matrices.length), errors: errors.map((v) => v / matrices.length) };
}

/**
 * List the tokens or words that are shown as rows or columns.
 *
 * @param {Side} side
 * @param {ShownSettings} settings
 * @param {Segment} segment those of one sentence, null for all
 * @returns {Unit[]}
 */
function listUnits(side, settings, segment) {
  const from = settings.units === "words" ? side.words : side.tokens;
  return from.text
    .map((text, index) => ({ index, text, tokens: from.tokens?.[index] ?? [index], segment: from.segment[index] }))
    .filter((unit) => (segment === null ? unit.segment !== null || settings.special : unit.segment === segment));
}

/** Return whether a unit is the first of the second sentence, with the first before it. @param {Unit[]} units @param {number} i */
export function beginsSecond(units, i) {
  return (
    i > 0 && units[i].segment === 1 && units[0].segment !== 1 && !units.slice(0, i).some(({ segment }) => segment === 1)
  );
}

/** @type {Record<string, Segment>} */
const SENTENCE = { A: 0, B: 1 };

/** What is shown of a matrix: units as rows (queries) and columns (keys), and their weights. */
export class Shown {
  /** The sum of each row before it was divided by that, null where it was not. @type {Float32Array | null} */
  sums = null;
  /** What the sums may be off by. @type {number[] | null} */
  sumErrors = null;
  /** Of a difference, what was subtracted from what. @type {[Shown, Shown] | null} */
  parts = null;
  signed = false;
  /** The share of its row that is drawn. */
  mass = 1;
  /** The share of each row that is shown, on average. */
  kept = 1;
  /** Whether all tokens are columns. */
  whole = false;
  /** The largest weight, or 1 where all are 0. */
  peak = 1;
  /** @type {number[][]} */
  cachedEdges = [];

  /**
   * Take what is shown of the weights of all tokens.
   *
   * @param {Matrix} matrix
   * @param {Side} side
   * @param {ShownSettings} settings
   */
  static of(matrix, side, settings) {
    const pair = side.text_pair !== null && settings.between !== "all" ? settings.between : null;
    const rows = listUnits(side, settings, pair ? SENTENCE[pair[0]] : null);
    const columns = listUnits(side, settings, pair ? SENTENCE[pair[1]] : null);
    const shown = new Shown(rows, columns);
    const length = side.tokens.text.length;
    const sums = new Float32Array(rows.length);
    const width = columns.length;
    for (let i = 0; i < rows.length; i++) {
      const queries = rows[i].tokens;
      for (const q of queries) {
        for (let j = 0; j < width; j++) {
          const keys = columns[j].tokens;
          let weight = 0;
          for (let n = 0; n < keys.length; n++) weight += matrix.values[q * length + keys[n]];
          shown.values[i * width + j] += weight / queries.length;
          sums[i] += weight / queries.length;
        }
        shown.errors[i] += matrix.errors[q] / queries.length;
      }
    }
    shown.kept = sums.reduce((sum, v) => sum + v, 0) / Math.max(1, rows.length);
    shown.whole = columns.reduce((sum, { tokens }) => sum + tokens.length, 0) === length;
    if (settings.renormalise) {
      for (let at = 0; at < shown.values.length; at++) shown.values[at] /= sums[Math.floor(at / width)] || 1;
      shown.sums = sums;
    }
    shown.mass = settings.mass;
    shown.peak = findPeak(shown.values);
    return shown;
  }

  /** Return what the second is more than the first, for the same units. @param {Shown} a @param {Shown} b */
  static difference(a, b) {
    const shown = new Shown(a.rows, a.columns);
    shown.values = b.values.map((value, i) => value - a.values[i]);
    shown.parts = [a, b];
    shown.signed = true;
    shown.kept = b.kept - a.kept;
    shown.mass = a.mass;
    shown.peak = findPeak(shown.values);
    return shown;
  }

  /** @param {Unit[]} rows @param {Unit[]} columns */
  constructor(rows, columns) {
    this.rows = rows;
    this.columns = columns;
    this.values = new Float32Array(rows.length * columns.length);
    this.errors = new Float32Array(rows.length);
  }

  /** Return a weight. @param {number} i row @param {number} j column */
  value(i, j) {
    return this.values[i * this.columns.length + j];
  }

  /**
   * Return how far a weight can be from the model's: levels are rounded, and what is summed or divided carries that on.
   *
   * @param {number} i row
   * @param {number} j column
   * @returns {number}
   */
  error(i, j) {
    if (this.parts) return this.parts[0].error(i, j) + this.parts[1].error(i, j);
    const error = this.#rawError(i, this.columns[j]);
    if (!this.sums) return error;
    this.sumErrors ??= this.rows.map((_, row) =>
      this.columns.reduce((sum, column) => sum + this.#rawError(row, column), 0),
    );
    const least = this.sums[i] - this.sumErrors[i];
    return least > 0 ? Math.min(1, (error + this.value(i, j) * this.sumErrors[i]) / least) : 1;
  }

  /** Return the error before rows are divided by their sums. @param {number} i row @param {Unit} column */
  #rawError(i, column) {
    return column.segment === null ? 0.5 / FINE : this.errors[i] * column.tokens.length;
  }

  /** Return the columns with the largest weights of a row, as few as reach the mass; largest first. @param {number} i */
  edges(i) {
    this.cachedEdges[i] ??= this.#findEdges(i);
    return this.cachedEdges[i];
  }

  /** @param {number} i row */
  #findEdges(i) {
    const width = this.columns.length;
    const row = this.values.subarray(i * width, (i + 1) * width).map(Math.abs);
    const order = Array.from(row.keys()).sort((a, b) => row[b] - row[a]);
    const enough = this.mass * row.reduce((sum, v) => sum + v, 0) - 1e-6;
    let count = 0;
    for (let sum = 0; count < width && sum < enough && row[order[count]] > 0; count++) sum += row[order[count]];
    return order.slice(0, count);
  }

  /**
   * Return the places of the largest values, largest first; of one row or one column if given.
   *
   * @param {number} count
   * @param {{ row?: number | null, column?: number | null }} within
   * @returns {[row: number, column: number][]}
   */
  strongest(count, { row = null, column = null } = {}) {
    const width = this.columns.length;
    /** @type {[row: number, column: number, size: number][]} */
    const best = [];
    let least = 0;
    /** @param {number} i @param {number} j */
    const look = (i, j) => {
      const size = Math.abs(this.values[i * width + j]);
      if (size <= least) return;
      const place = best.findIndex(([, , other]) => size > other);
      best.splice(place < 0 ? best.length : place, 0, [i, j, size]);
      if (best.length > count) best.pop();
      if (best.length === count) least = best[count - 1][2];
    };
    const rows = row === null ? this.rows.keys() : [row];
    for (const i of rows) {
      if (column !== null) look(i, column);
      else for (let j = 0; j < width; j++) look(i, j);
    }
    return best.map(([i, j]) => [i, j]);
  }
}

/** Return the largest absolute value, or 1 where all are 0. @param {Float32Array} values */
function findPeak(values) {
  return values.reduce((most, value) => Math.max(most, Math.abs(value)), 0) || 1;
}
