// One value for each head, as the map shows them. Nothing here draws.

/** @import { Settings } from "./protocol" */

/**
 * Values of all heads in the model's order, null where the map shows patterns instead, and what is needed to draw them;
 * `order` has for each place in the map the head that stands there.
 * @typedef {{ values: Float32Array | null, isDifference: boolean, signed: boolean, order: number[], peak: number, least: number, most: number }} HeadValues
 */

/** Return a map without values, in the model's order. @param {number} count of heads @returns {HeadValues} */
export function makePatterns(count) {
  const order = Array.from({ length: count }, (_, i) => i);
  return { values: null, isDifference: false, signed: false, order, peak: 0, least: Infinity, most: -Infinity };
}

/**
 * Return a map of values, or of what the second side's are more than the first's. Heads without a value come last.
 *
 * @param {Float32Array[]} sides of one side, or of two to subtract
 * @param {Settings["order"]} order
 * @param {boolean} isSigned whether values of one side lie on both sides of 0 as well
 * @returns {HeadValues}
 */
export function makeHeadValues(sides, order, isSigned = false) {
  const isDifference = sides.length > 1;
  const values = isDifference ? sides[1].map((value, i) => value - sides[0][i]) : sides[0];
  const map = { ...makePatterns(values.length), values, isDifference, signed: isDifference || isSigned };
  for (const value of values) {
    if (!Number.isFinite(value)) continue;
    map.peak = Math.max(map.peak, Math.abs(value));
    map.least = Math.min(map.least, value);
    map.most = Math.max(map.most, value);
  }
  if (order !== "model") {
    const sign = order === "highest" ? -1 : 1;
    const keys = Array.from(values, (value) => (Number.isFinite(value) ? sign * value : Infinity));
    map.order.sort((a, b) => keys[a] - keys[b] || a - b);
  }
  return map;
}

/**
 * Return where on the scale a value is, from 0 to 1: from the least to the most, or around 0 for differences.
 *
 * @param {HeadValues} map
 * @param {number} value
 */
export function placeOnScale({ signed, peak, least, most }, value) {
  if (signed) return peak ? (1 + value / peak) / 2 : 0.5;
  return most > least ? (value - least) / (most - least) : 0;
}
