// A saved page in place of a model: what is inside is answered, and means and ranks of it are computed here.

import { combine, unpackFloats, unpackMatrix } from "./weights.js";

/** @import { Head, JsonReply, Request, SavedData } from "./protocol" */

/**
 * Return what answers the requests of a page that holds some heads.
 *
 * @param {SavedData} data
 * @returns {(request: Request) => Promise<JsonReply>} an `ask` for `makeJsonModel`
 */
export function answerFromFile({ first, heads, rollout, maps }) {
  const { layers, heads: width } = first.sides[0];
  /** @type {Head[]} */
  const every = Array.from({ length: layers * width }, (_, i) => [Math.floor(i / width), i % width]);
  const inside = first.inside ?? every;
  const places = new Map(inside.map(([layer, head], i) => [layer * width + head, i]));
  const sizes = first.sides.map((side) => side.tokens.text.length);

  /** @param {number} side @param {number} layer @param {number} head */
  async function readHead(side, layer, head) {
    const place = places.get(layer * width + head);
    if (place === undefined) {
      const count = `${inside.length} of ${layers * width}`;
      throw new Error(`L${layer} H${head} is not in this file, which holds ${count} heads.`);
    }
    return unpackMatrix(heads[side][place], first.sides[side]);
  }

  /** Rank the heads inside by the attention between two lists of tokens. @param {number} side @param {number[]} queries @param {number[]} keys */
  async function rankHeads(side, queries, keys) {
    const map = new Float32Array(layers * width).fill(Number.NaN);
    for (const [layer, head] of inside) {
      const { values } = await readHead(side, layer, head);
      let sum = 0;
      for (const query of queries) for (const key of keys) sum += values[query * sizes[side] + key];
      map[layer * width + head] = sum / queries.length;
    }
    return map;
  }

  /** @param {Request} request @returns {Promise<JsonReply>} */
  async function answer(request) {
    switch (request.type) {
      case "head":
        return { matrix: await readHead(request.side, request.layer, request.head) };
      case "mean":
      case "max": {
        const { side, type, heads: wanted } = request;
        if (!wanted && first.inside) throw new Error("Not all heads are in this file. Choose some of those that are.");
        const matrices = await Promise.all((wanted ?? inside).map(([layer, head]) => readHead(side, layer, head)));
        return { matrix: combine(matrices, type) };
      }
      case "rollout":
        if (request.up_to !== layers - 1) {
          throw new Error(`Rollout is in this file to layer ${layers - 1} only, the last one.`);
        }
        return { matrix: await unpackMatrix(rollout[request.side], first.sides[request.side]) };
      case "rank": {
        const { side, by } = request;
        const isNamed = typeof by === "string";
        return { map: await (isNamed ? unpackFloats(maps[by][side]) : rankHeads(side, by.queries, by.keys)) };
      }
      default:
        throw new Error("This needs the model: open the text in a notebook or in the app.");
    }
  }

  return async (request) => {
    const { id, type } = request;
    try {
      return { id, type, ...(await answer(request)) };
    } catch (error) {
      return { id, type, error: /** @type {Error} */ (error).message };
    }
  };
}
