// What the tests of the explorer share: a text that was read, packed as `protocol.py` packs it.

import { deflateSync } from "node:zlib";

/** @import { Meta, Side, Statistic } from "../../xlmrxl/views/protocol" */

/** A pair of sentences with a mask: <s> a b </s> </s> c d </s>, where "c d" is one word. @type {Side} */
export const PAIR = {
  text: "a <mask>",
  text_pair: "cd",
  source: { model: "tiny", revision: null, precision: "fp32" },
  layers: 2,
  heads: 3,
  thumbnail: 2,
  tokens: {
    text: ["<s>", "a", "<mask>", "</s>", "</s>", "c", "d", "</s>"],
    segment: [null, 0, 0, null, null, 1, 1, null],
  },
  words: {
    text: ["<s>", "a", "<mask>", "</s>", "</s>", "cd", "</s>"],
    segment: [null, 0, 0, null, null, 1, null],
    tokens: [[0], [1], [2], [3], [4], [5, 6], [7]],
  },
  mask_positions: [2],
};

/** A text of two tokens and the special ones. @type {Side} */
export const SINGLE = {
  ...PAIR,
  text: "a b",
  text_pair: null,
  tokens: { text: ["<s>", "a", "b", "</s>"], segment: [null, 0, 0, null] },
  words: { text: ["<s>", "a", "b", "</s>"], segment: [null, 0, 0, null], tokens: [[0], [1], [2], [3]] },
  mask_positions: [],
};

/**
 * Return a statistic as Python declares it.
 *
 * @param {string} name
 * @param {Statistic["needs"]} needs
 * @param {string} python
 * @returns {Statistic}
 */
function declareStatistic(name, needs, python, python_import = "") {
  return { name, title: name, label: "", unit: "", needs, scale: "sequential", python, python_import };
}

/** Return `meta` of some sides. @param {Side[]} sides @returns {Meta} */
export function makeMeta(...sides) {
  return {
    version: 1,
    same_tokens: sides.length > 1,
    abilities: ["ablate"],
    palette: {
      hue: [],
      grey: [],
      warning: { light: "", dark: "" },
      scales: { sequential: { light: [], dark: [] }, diverging: { light: [], dark: [] } },
    },
    statistics: [
      declareStatistic("entropy", "weights", '{inspection}.statistic("entropy")'),
      declareStatistic("norm", "value_norms", '{inspection}.statistic("norm")'),
      declareStatistic("change", "comparison", "attention_change({first}, {second}).values", "import attention_change"),
    ],
    sides,
  };
}

/** Pack arrays one after the other, in base64. @param {ArrayBufferView[]} arrays */
export function pack(...arrays) {
  const bytes = arrays.map(({ buffer, byteOffset, byteLength }) => Buffer.from(buffer, byteOffset, byteLength));
  return deflateSync(Buffer.concat(bytes)).toString("base64");
}

/**
 * Pack a matrix whose levels are all given, with the weights on special tokens in 1/65535.
 *
 * @param {number[]} scales
 * @param {number[]} fine
 * @param {number[]} levels
 */
export function packMatrix(scales, fine, levels) {
  return pack(new Float32Array(scales), new Uint16Array(fine), new Uint8Array(levels));
}
