// @ts-nocheck: not typed yet
// A saved file in place of a model: what is inside is answered, and means and ranks of it are computed here.

import { combine, unpackFloats, unpackMatrix } from "./weights.js";

/** An `ask` for jsonModel, of the data that export.py puts into a file. */
export function answerFromFile({ first, heads, rollout, maps }) {
  const { layers, heads: width } = first.sides[0];
  const inside = first.inside ?? Array.from({ length: layers * width }, (_, i) => [Math.floor(i / width), i % width]);
  const place = new Map(inside.map(([layer, head], i) => [layer * width + head, i]));
  const sizes = first.sides.map((side) => side.tokens.text.length);
  const matrix = async (side, layer, head) => {
    const at = place.get(layer * width + head);
    if (at === undefined) {
      throw new Error(
        `L${layer} H${head} is not in this file, which holds ${inside.length} of ${layers * width} heads.`,
      );
    }
    return unpackMatrix(heads[side][at], first.sides[side]);
  };
  const several = async ({ type, side, heads: wanted }) => {
    if (!wanted && first.inside) throw new Error("Not all heads are in this file. Choose some of those that are.");
    const all = (wanted ?? inside).map(([layer, head]) => matrix(side, layer, head));
    return { matrix: combine(await Promise.all(all), type) };
  };
  const answers = {
    head: async ({ side, layer, head }) => ({ matrix: await matrix(side, layer, head) }),
    mean: several,
    max: several,
    async rollout({ side, up_to }) {
      if (up_to !== layers - 1) throw new Error(`Rollout is in this file to layer ${layers - 1} only, the last one.`);
      return { matrix: await unpackMatrix(rollout[side], first.sides[side]) };
    },
    async rank({ side, by }) {
      if (typeof by === "string") return { map: await unpackFloats(maps[by][side]) };
      const map = new Float32Array(layers * width).fill(NaN);
      for (const [layer, head] of inside) {
        const { values } = await matrix(side, layer, head);
        let sum = 0;
        for (const q of by.queries) for (const k of by.keys) sum += values[q * sizes[side] + k];
        map[layer * width + head] = sum / by.queries.length;
      }
      return { map };
    },
  };
  return async ({ id, type, ...asked }) => {
    try {
      if (!answers[type]) throw new Error("This needs the model: open the text in a notebook or in the app.");
      return { id, type, ...(await answers[type]({ type, ...asked })) };
    } catch (error) {
      return { id, type, error: error.message };
    }
  };
}
