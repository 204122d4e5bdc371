// The settings: their defaults, and how those that came from anywhere become ones that hold for what is shown.

/** @import { BriefTraits, Head, Meta, Selected, Settings, Side, TokenPair } from "./protocol" */

/** @type {Settings} */
const DEFAULTS = {
  form: null,
  show: "head",
  chosen: [],
  units: "pieces",
  between: "all",
  special: true,
  renormalise: false,
  mass: { matrix: 1, lines: 0.7 },
  statistic: null,
  order: "model",
  cells: null,
  compare: "sides",
  off: { heads: [], layers: [], positions: null },
};
/** @type {Record<string, unknown[]>} */
const ALLOWED = {
  form: [null, "matrix", "lines"],
  show: ["head", "mean", "max", "layer-mean", "layer-max", "all-mean", "all-max", "rollout"],
  units: ["pieces", "words"],
  between: ["all", "AA", "AB", "BA", "BB"],
  special: [true, false],
  renormalise: [false, true],
  order: ["model", "highest", "lowest"],
  cells: [null, "patterns", "values"],
  compare: ["sides", "difference"],
};
const SHORT = 48; // tokens up to which lines can be told apart without choosing one

/** Return whether two values are the same JSON. @param {unknown} a @param {unknown} b */
export function isSame(a, b) {
  return JSON.stringify(a) === JSON.stringify(b);
}

/** Return whether a value is a place among `count` things. @param {unknown} value @param {number} count */
function isIndex(value, count) {
  return typeof value === "number" && Number.isInteger(value) && value >= 0 && value < count;
}

/** Return a value if it is a list, or an empty one. @param {unknown} value @returns {unknown[]} */
function toList(value) {
  return Array.isArray(value) ? value : [];
}

/** Return a value's fields, none where it has none. @param {unknown} value @returns {Record<string, unknown>} */
function toRecord(value) {
  return Object(value);
}

/** Return items without those that came before. @template T @param {T[]} items @returns {T[]} */
function dropRepeated(items) {
  return [...new Map(items.map((item) => [JSON.stringify(item), item])).values()];
}

/** Return the heads in a value that exist. @param {unknown} value @param {Side} side @returns {Head[]} */
function readHeads(value, { layers, heads }) {
  const pairs = toList(value).filter(
    (pair) => Array.isArray(pair) && isIndex(pair[0], layers) && isIndex(pair[1], heads),
  );
  return dropRepeated(/** @type {Head[]} */ (pairs).map(([layer, head]) => [layer, head]));
}

/** Return the tokens in a value, or null where it is no list of tokens. @param {unknown} value @param {number} count */
function readTokens(value, count) {
  const list = toList(value);
  const areTokens = list.length > 0 && list.every((token) => isIndex(token, count));
  return areTokens ? dropRepeated(/** @type {number[]} */ (list)) : null;
}

/** Return a share of a row, above 0 and up to 1. @param {unknown} value @param {number} otherwise */
function readShare(value, otherwise) {
  return typeof value === "number" && value > 0 && value <= 1 ? value : otherwise;
}

/**
 * Return what the map is about, or null where that does not hold.
 *
 * @param {unknown} value
 * @param {Meta} meta
 * @param {number} count of tokens
 * @returns {string | TokenPair | null}
 */
function readStatistic(value, { statistics }, count) {
  const known = statistics.find(({ name }) => name === value);
  if (known) return known.name;
  const { queries, keys } = toRecord(value);
  const pair = { queries: readTokens(queries, count), keys: readTokens(keys, count) };
  return pair.queries && pair.keys ? { queries: pair.queries, keys: pair.keys } : null;
}

/**
 * Return all settings. What does not hold for the texts and heads of `meta` is left out.
 *
 * @param {unknown} given may be anything: links have it
 * @param {Meta} meta
 * @returns {Settings}
 */
export function completeSettings(given, meta) {
  const { sides, same_tokens: isComparable } = meta;
  const fields = toRecord(given);
  const entries = Object.entries(DEFAULTS).map(([name, value]) => {
    const holds = Object.hasOwn(fields, name) && (ALLOWED[name]?.includes(fields[name]) ?? true);
    return [name, holds ? fields[name] : value];
  });
  const { mass, off, chosen, statistic, ...settings } = Object.fromEntries(entries);
  const count = Math.min(...sides.map(({ tokens }) => tokens.text.length));
  const { matrix, lines } = toRecord(mass);
  const { heads, layers, positions } = toRecord(off);
  const layersOff = toList(layers).filter((layer) => isIndex(layer, sides[0].layers));
  return {
    ...settings,
    chosen: readHeads(chosen, sides[0]),
    between: sides.some(({ text_pair: pair }) => pair !== null) ? settings.between : "all",
    mass: { matrix: readShare(matrix, DEFAULTS.mass.matrix), lines: readShare(lines, DEFAULTS.mass.lines) },
    statistic: readStatistic(statistic, meta, count),
    compare: isComparable ? settings.compare : "sides",
    off: {
      heads: readHeads(heads, sides[0]),
      layers: dropRepeated(/** @type {number[]} */ (layersOff)),
      positions: readTokens(positions, count),
    },
  };
}

/**
 * Return the head to show, the first there is where the given one is none.
 *
 * @param {unknown} given may be anything
 * @param {Pick<Meta, "sides" | "inside">} meta
 * @returns {Selected}
 */
export function completeSelected(given, { sides, inside }) {
  const fields = toRecord(given);
  const [firstLayer, firstHead] = inside?.[0] ?? [0, 0];
  const { layers, heads } = sides[0];
  const isValid = isIndex(fields.layer, layers) && isIndex(fields.head, heads);
  return {
    layer: isValid ? Number(fields.layer) : firstLayer,
    head: isValid ? Number(fields.head) : firstHead,
    side: isIndex(fields.side, sides.length) ? Number(fields.side) : 0,
  };
}

/**
 * Return what of the traits differs from the defaults.
 *
 * @param {Settings} settings
 * @param {Selected} selected
 * @returns {BriefTraits}
 */
export function shortenTraits(settings, { layer, head, side }) {
  /** @param {object} from @param {object} defaults */
  const findChanged = (from, defaults) => {
    const before = toRecord(defaults);
    return Object.fromEntries(Object.entries(from).filter(([name, value]) => !isSame(value, before[name])));
  };
  const { mass, off, chosen, ...others } = findChanged(settings, DEFAULTS);
  if (chosen && !isSame(chosen, [[layer, head]])) others.chosen = chosen;
  if (mass) others.mass = findChanged(mass, DEFAULTS.mass);
  if (off) others.off = findChanged(off, DEFAULTS.off);
  return {
    ...(layer || head || side ? { selected: { layer, head, ...(side ? { side } : {}) } } : {}),
    ...(Object.keys(others).length ? { settings: others } : {}),
  };
}

/**
 * Return the form in which a head is shown.
 *
 * @param {Settings} settings
 * @param {Side[]} sides
 * @returns {"lines" | "matrix"}
 */
export function chooseForm(settings, sides) {
  const longest = Math.max(...sides.map(({ tokens }) => tokens.text.length));
  return settings.form ?? (longest <= SHORT ? "lines" : "matrix");
}
