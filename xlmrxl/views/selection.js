// What follows from the heads that were chosen: what is asked for, and what it is called. Nothing here draws.

import { isSame } from "./settings.js";

/** @import { Head, MatrixRequest, Selected, Settings } from "./protocol" */

/**
 * Choose a head: add it to those that were chosen, or take it out again, or have it alone.
 *
 * @param {Settings} settings
 * @param {Selected} selected
 * @param {Head} head
 * @param {{ isAdded?: boolean, side?: number }} how
 * @returns {{ selected: Selected, settings: Settings }} the traits to set
 */
export function chooseHead(settings, selected, head, { isAdded = false, side = selected.side } = {}) {
  let { show, chosen } = settings;
  if (isAdded) {
    /** @type {Head[]} */
    const before = chosen.length ? chosen : [[selected.layer, selected.head]];
    const without = before.filter((pair) => !isSame(pair, head));
    chosen = without.length < before.length && without.length ? without : [...without, head];
    if (show === "head" && chosen.length > 1) show = "mean";
  } else {
    chosen = [head];
  }
  if (chosen.length < 2 && (show === "mean" || show === "max")) show = "head";
  const isChosen = chosen.some((pair) => isSame(pair, head));
  const [layer, number] = isChosen ? head : chosen[chosen.length - 1];
  return { selected: { layer, head: number, side }, settings: { ...settings, show, chosen } };
}

/**
 * Return the request for the matrix that is shown of a side.
 *
 * @param {Settings} settings
 * @param {Selected} selected
 * @param {number} heads of a layer
 * @param {number} side
 * @returns {MatrixRequest}
 */
export function requestMatrix({ show, chosen }, { layer, head }, heads, side) {
  switch (show) {
    case "mean":
    case "max":
      return chosen.length > 1 ? { type: show, side, heads: chosen } : { type: "head", side, layer, head };
    case "layer-mean":
    case "layer-max": {
      const all = Array.from({ length: heads }, (_, i) => /** @type {Head} */ ([layer, i]));
      return { type: show === "layer-mean" ? "mean" : "max", side, heads: all };
    }
    case "all-mean":
    case "all-max":
      return { type: show === "all-mean" ? "mean" : "max", side, heads: null };
    case "rollout":
      return { type: "rollout", side, up_to: layer };
    default:
      return { type: "head", side, layer, head };
  }
}

/** Return what the head view shows, in words. @param {Settings} settings @param {Selected} selected */
export function nameSelection({ show, chosen }, { layer, head }) {
  const kind = show.endsWith("max") ? "Maximum" : "Mean";
  if (show === "rollout") return `Rollout, layers 0 to ${layer}`;
  if (show.startsWith("layer")) return `${kind} of layer ${layer}`;
  if (show.startsWith("all")) return `${kind} of all heads`;
  if (show !== "head" && chosen.length > 1) return `${kind} of ${chosen.length} heads`;
  return `L${layer} H${head}`;
}
