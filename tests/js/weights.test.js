// From bytes to weights, and from weights to what is shown of them.

import assert from "node:assert/strict";
import { test } from "node:test";
import { answerFromFile } from "../../xlmrxl/views/file.js";
import {
  beginsSecond,
  combine,
  Shown,
  toBytes,
  unpackFloats,
  unpackMatrix,
  unpackThumbnails,
} from "../../xlmrxl/views/weights.js";
import { makeMeta, PAIR, pack, packMatrix, SINGLE } from "./sample.js";

/** @import { Request } from "../../xlmrxl/views/protocol" */

const ALL = /** @type {const} */ ({ units: "pieces", between: "all", special: true, renormalise: false, mass: 1 });

/** Check numbers within the rounding of float32. @param {Iterable<number>} found @param {number[]} expected */
function checkClose(found, expected) {
  const values = [...found];
  assert.equal(values.length, expected.length);
  for (const [i, value] of values.entries()) assert.ok(Math.abs(value - expected[i]) < 1e-5, `${values} at ${i}`);
}

/** A matrix of a side whose weights are given; each is off by its row's error at most. @param {number[]} values @param {number} error */
function makeMatrix(values, error = 0.001) {
  const size = Math.sqrt(values.length);
  return { values: new Float32Array(values), errors: new Float32Array(size).fill(error) };
}

const WEIGHTS = [0.5, 0.3, 0.1, 0.1, 0.2, 0.4, 0.4, 0, 0.1, 0.1, 0.1, 0.7, 0.25, 0.25, 0.25, 0.25];

test("bytes come in any wrapping", () => {
  const bytes = new Uint8Array([1, 2, 3]);
  for (const value of ["AQID", bytes, bytes.buffer, new DataView(bytes.buffer)]) {
    assert.deepEqual([...toBytes(value)], [1, 2, 3]);
  }
  assert.deepEqual([...toBytes(new DataView(bytes.buffer, 1, 1))], [2]);
});

test("floats and thumbnails are what was packed", async () => {
  checkClose(await unpackFloats(pack(new Float32Array([0.25, -3]))), [0.25, -3]);
  const packed = pack(new Float32Array([0.5, 0.1]), new Uint8Array([0, 1, 2, 255, 10, 0, 0, 0]));
  checkClose(await unpackThumbnails(packed, 2, 4), [0, 0.5, 1, 127.5, 1, 0, 0, 0]);
});

test("a weight is level times scale, and on special tokens in its own unit", async () => {
  const fine = [65535, 0, 0, 13107, 0, 0, 0, 0];
  const levels = [0, 1, 2, 0, 0, 100, 50, 0, 0, 0, 0, 0, 0, 0, 0, 0];
  const { values, errors } = await unpackMatrix(packMatrix([0.1, 0.01, 0, 0], fine, levels), SINGLE);
  checkClose(values.slice(0, 8), [1, 0.1, 0.2, 0, 0, 1, 0.5, 0.2]);
  checkClose(errors, [0.05, 0.005, 0, 0]);
});

test("several heads are one: their mean, or the maximum of each weight", () => {
  const [a, b] = [makeMatrix([1, 0, 0.5, 0.5], 0.1), makeMatrix([0, 1, 0.25, 0.75], 0.3)];
  checkClose(combine([a, b], "mean").values, [0.5, 0.5, 0.375, 0.625]);
  checkClose(combine([a, b], "mean").errors, [0.2, 0.2]);
  checkClose(combine([a, b], "max").values, [1, 1, 0.5, 0.75]);
  checkClose(combine([a, b], "max").errors, [0.3, 0.3]);
  checkClose(a.values, [1, 0, 0.5, 0.5]);
});

test("all tokens are shown, or those that are not special", () => {
  const all = Shown.of(makeMatrix(WEIGHTS), SINGLE, ALL);
  checkClose(all.values, WEIGHTS);
  assert.equal(all.whole, true);
  assert.ok(Math.abs(all.peak - 0.7) < 1e-6);
  const own = Shown.of(makeMatrix(WEIGHTS), SINGLE, { ...ALL, special: false });
  assert.deepEqual(
    own.rows.map(({ text }) => text),
    ["a", "b"],
  );
  checkClose(own.values, [0.4, 0.4, 0.1, 0.1]);
  checkClose([own.kept], [0.5]);
  assert.equal(own.whole, false);
});

test("renormalised rows add up to 1, and their errors grow", () => {
  const plain = Shown.of(makeMatrix(WEIGHTS), SINGLE, { ...ALL, special: false });
  const shown = Shown.of(makeMatrix(WEIGHTS), SINGLE, { ...ALL, special: false, renormalise: true });
  checkClose(shown.values, [0.5, 0.5, 0.5, 0.5]);
  assert.ok(shown.error(1, 0) > plain.error(1, 0));
  assert.ok(shown.error(1, 0) <= 1);
});

test("to a word is the sum over its pieces, from a word their mean", () => {
  const size = PAIR.tokens.text.length;
  const values = Array.from({ length: size * size }, (_, at) => (Math.floor(at / size) === 6 ? 0.25 : 0.125));
  const shown = Shown.of(makeMatrix(values), PAIR, { ...ALL, units: "words" });
  assert.equal(shown.rows[5].text, "cd");
  checkClose([shown.value(1, 5), shown.value(5, 1), shown.value(5, 5)], [0.25, 0.1875, 0.375]);
});

test("from one sentence of a pair to the other", () => {
  const size = PAIR.tokens.text.length;
  const shown = Shown.of(makeMatrix(new Array(size * size).fill(0.125)), PAIR, { ...ALL, between: "AB" });
  assert.deepEqual(
    [shown.rows, shown.columns].map((units) => units.map(({ text }) => text)),
    [
      ["a", "<mask>"],
      ["c", "d"],
    ],
  );
});

test("a difference is the second minus the first, and its errors add up", () => {
  const [a, b] = [WEIGHTS, [...WEIGHTS].reverse()].map((values) => Shown.of(makeMatrix(values), SINGLE, ALL));
  const shown = Shown.difference(a, b);
  checkClose([shown.value(0, 0)], [0.25 - 0.5]);
  checkClose([shown.error(1, 1)], [0.002]);
  assert.equal(shown.signed, true);
});

test("edges are the fewest weights of a row that reach the mass", () => {
  const shown = Shown.of(makeMatrix(WEIGHTS), SINGLE, { ...ALL, mass: 0.7 });
  assert.deepEqual(shown.edges(0), [0, 1]);
  assert.deepEqual(shown.edges(2), [3]);
  assert.deepEqual(Shown.of(makeMatrix(WEIGHTS), SINGLE, ALL).edges(1), [1, 2, 0], "a weight of 0 is no edge");
});

test("the strongest are the largest, of all or of a row or a column", () => {
  const shown = Shown.of(makeMatrix(WEIGHTS), SINGLE, ALL);
  assert.deepEqual(shown.strongest(2), [
    [2, 3],
    [0, 0],
  ]);
  assert.deepEqual(shown.strongest(1, { row: 1 }), [[1, 1]]);
  assert.deepEqual(shown.strongest(1, { column: 1 }), [[1, 1]]);
  assert.deepEqual(shown.strongest(9, { row: 1 }).length, 3);
});

test("the second sentence begins once", () => {
  const { rows } = Shown.of(makeMatrix(new Array(64).fill(0.125)), PAIR, ALL);
  assert.deepEqual(
    [...rows.keys()].filter((i) => beginsSecond(rows, i)),
    [5],
  );
});

test("a saved page answers for the heads inside, and says what it lacks", async () => {
  const head = (/** @type {number} */ level) =>
    packMatrix([0.01, 0.01, 0.01, 0.01], new Array(8).fill(0), new Array(16).fill(level));
  const ask = answerFromFile({
    first: {
      ...makeMeta(SINGLE),
      buffers: [],
      inside: [
        [0, 1],
        [1, 2],
      ],
    },
    selected: {},
    settings: {},
    heads: [[head(10), head(30)]],
    rollout: [head(50)],
    maps: { norm: [pack(new Float32Array([1, 2, 3, 4, 5, 6]))] },
  });
  /** @param {object} request */
  const answer = (request) => ask(/** @type {Request} */ ({ id: "1", side: 0, ...request }));
  const values = async (/** @type {object} */ request) =>
    [...((await answer(request)).matrix?.values ?? [])].slice(5, 6);
  checkClose(await values({ type: "head", layer: 1, head: 2 }), [0.3]);
  checkClose(
    await values({
      type: "mean",
      heads: [
        [0, 1],
        [1, 2],
      ],
    }),
    [0.2],
  );
  checkClose(
    await values({
      type: "max",
      heads: [
        [0, 1],
        [1, 2],
      ],
    }),
    [0.3],
  );
  checkClose(await values({ type: "rollout", up_to: 1 }), [0.5]);
  checkClose((await answer({ type: "rank", by: "norm" })).map ?? [], [1, 2, 3, 4, 5, 6]);
  const ranked = (await answer({ type: "rank", by: { queries: [1, 2], keys: [1] } })).map ?? [];
  checkClose([ranked[1], ranked[5]], [0.1, 0.3]);
  assert.ok(Number.isNaN(ranked[0]));
  for (const [request, sentence] of /** @type {const} */ ([
    [{ type: "head", layer: 0, head: 0 }, /L0 H0 is not in this file, which holds 2 of 6 heads/],
    [{ type: "mean", heads: null }, /Not all heads are in this file/],
    [{ type: "rollout", up_to: 0 }, /to layer 1 only/],
    [{ type: "ablate", heads: [[0, 1]], layers: [], positions: null }, /needs the model/],
  ])) {
    const { id, error } = await answer(request);
    assert.equal(id, "1");
    assert.match(error ?? "", sentence);
  }
});
