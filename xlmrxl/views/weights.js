// @ts-nocheck: not typed yet
// From bytes to numbers, and from a head's weights to what is shown of them. Nothing here draws.

/** The bytes of a buffer as a model hands it over: base64, DataView, ArrayBuffer or typed array. */
export function toBytes(value) {
  if (typeof value === "string") return Uint8Array.from(atob(value), (c) => c.charCodeAt(0));
  if (value instanceof ArrayBuffer) return new Uint8Array(value);
  return new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
}

/** A deflated buffer as an ArrayBuffer. */
export function inflate(value) {
  const stream = new Blob([toBytes(value)]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Response(stream).arrayBuffer();
}

export async function unpackFloats(value) {
  return new Float32Array(await inflate(value));
}

/** Levels with a scale for each of `count` rows, as values. */
function levelled(scales, levels, count) {
  const values = new Float32Array(levels.length);
  const size = levels.length / count;
  for (let row = 0, at = 0; row < count; row++) {
    for (const end = at + size; at < end; at++) values[at] = levels[at] * scales[row];
  }
  return values;
}

/** `count` thumbnails of `size` cells each. */
export async function unpackThumbnails(value, count, size) {
  const buffer = await inflate(value);
  return levelled(new Float32Array(buffer, 0, count), new Uint8Array(buffer, 4 * count, count * size), count);
}

const FINE = 65535; // the unit of the weights on special tokens

/** A matrix of a side: {values, errors: how far those of a row may be from the model's}. */
export async function unpackMatrix(value, side) {
  const size = side.tokens.text.length;
  const special = side.tokens.segment.flatMap((segment, i) => (segment === null ? [i] : []));
  const buffer = await inflate(value);
  const scales = new Float32Array(buffer, 0, size);
  const fine = new Uint16Array(buffer, 4 * size, size * special.length);
  const values = levelled(scales, new Uint8Array(buffer, 4 * size + 2 * fine.length, size * size), size);
  fine.forEach((weight, at) => {
    values[Math.floor(at / special.length) * size + special[at % special.length]] = weight / FINE;
  });
  return { values, errors: scales.map((scale) => scale / 2) };
}

/** Several heads as one: their mean, or the maximum of each weight. The errors are those of what went in. */
export function combine(matrices, kind) {
  const [first, ...rest] = matrices;
  const values = first.values.slice();
  const errors = first.errors.slice();
  const into = (to, from) => {
    for (let at = 0; at < to.length; at++) to[at] = kind === "max" ? Math.max(to[at], from[at]) : to[at] + from[at];
  };
  for (const matrix of rest) {
    into(values, matrix.values);
    into(errors, matrix.errors);
  }
  if (kind === "max") return { values, errors };
  return { values: values.map((v) => v / matrices.length), errors: errors.map((v) => v / matrices.length) };
}

/** Rows and columns of what is shown: pieces or words, all of them or those of a sentence. */
function unitsOf(side, settings, segment) {
  const from = settings.units === "words" ? side.words : side.tokens;
  const units = [];
  from.text.forEach((text, index) => {
    const own = from.segment[index];
    if (segment === null ? own === null && !settings.special : own !== segment) return;
    units.push({ index, text, tokens: from.tokens ? from.tokens[index] : [index], segment: own });
  });
  return units;
}

/** Whether a unit is the first of the second sentence, with the first before it. */
export function parted(units, i) {
  return (
    i > 0 && units[i].segment === 1 && units[0].segment !== 1 && !units.slice(0, i).some(({ segment }) => segment === 1)
  );
}

const SENTENCE = { A: 0, B: 1 };

/** What is shown of a matrix: units as rows (queries) and columns (keys), and their weights. */
export class Shown {
  /** matrix: {values, errors} of all tokens; side: an entry of meta.sides; settings: as in protocol.py. */
  static of(matrix, side, settings) {
    const pair = side.second !== null && settings.between !== "all" ? settings.between : null;
    const rows = unitsOf(side, settings, pair ? SENTENCE[pair[0]] : null);
    const columns = unitsOf(side, settings, pair ? SENTENCE[pair[1]] : null);
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
    return shown.ready();
  }

  /** What the second is more than the first, for the same units. */
  static difference(a, b) {
    const shown = new Shown(a.rows, a.columns);
    shown.values = b.values.map((value, i) => value - a.values[i]);
    shown.parts = [a, b];
    shown.signed = true;
    shown.kept = b.kept - a.kept;
    shown.mass = a.mass;
    return shown.ready();
  }

  constructor(rows, columns) {
    this.rows = rows;
    this.columns = columns;
    this.values = new Float32Array(rows.length * columns.length);
    this.errors = new Float32Array(rows.length);
    this.sums = null;
    this.signed = false;
    this.cached = [];
  }

  ready() {
    this.peak = this.values.reduce((most, value) => Math.max(most, Math.abs(value)), 0) || 1;
    return this;
  }

  value(i, j) {
    return this.values[i * this.columns.length + j];
  }

  /** How far a value can be from the model's: levels are rounded, and what is summed or divided carries that on. */
  error(i, j) {
    if (this.parts) return this.parts[0].error(i, j) + this.parts[1].error(i, j);
    const error = this.raw(i, this.columns[j]);
    if (!this.sums) return error;
    this.sumErrors ??= this.rows.map((_, row) => this.columns.reduce((sum, column) => sum + this.raw(row, column), 0));
    const least = this.sums[i] - this.sumErrors[i];
    return least > 0 ? Math.min(1, (error + this.value(i, j) * this.sumErrors[i]) / least) : 1;
  }

  raw(i, column) {
    return column.segment === null ? 0.5 / FINE : this.errors[i] * column.tokens.length;
  }

  /** Of a row the columns with the largest weights, as few as reach the mass; largest first. */
  edges(i) {
    if (!this.cached[i]) {
      const width = this.columns.length;
      const row = this.values.subarray(i * width, (i + 1) * width).map(Math.abs);
      const order = Array.from(row.keys()).sort((a, b) => row[b] - row[a]);
      const enough = this.mass * row.reduce((sum, v) => sum + v, 0) - 1e-6;
      let count = 0;
      for (let sum = 0; count < width && sum < enough && row[order[count]] > 0; count++) sum += row[order[count]];
      this.cached[i] = order.slice(0, count);
    }
    return this.cached[i];
  }

  /** The largest values, as [row, column]; of one row or one column if given. */
  strongest(count, { row = null, column = null } = {}) {
    const width = this.columns.length;
    const best = [];
    let least = 0;
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
