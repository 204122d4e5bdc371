// @ts-nocheck: not typed yet
// The settings: their defaults, and how those that came from anywhere become ones that hold for what is shown.

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
  off: { heads: [], layers: [], at: null },
};
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

export const same = (a, b) => JSON.stringify(a) === JSON.stringify(b);
const isIndex = (value, count) => Number.isInteger(value) && value >= 0 && value < count;

const listed = (value) => (Array.isArray(value) ? value : []);
const once = (items) => [...new Map(items.map((item) => [JSON.stringify(item), item])).values()];

/** All settings, from those that were given; what does not hold for the texts and heads of `meta` is left out. What is given may be anything: links have it. */
export function completed(given, meta) {
  const { sides, same_tokens: comparable, statistics, on_demand: onDemand } = meta;
  const { layers, heads } = sides[0];
  const settings = Object.fromEntries(
    Object.entries(DEFAULTS).map(([name, value]) => [name, Object.hasOwn(Object(given), name) ? given[name] : value]),
  );
  for (const [name, values] of Object.entries(ALLOWED))
    if (!values.includes(settings[name])) settings[name] = DEFAULTS[name];
  const isHead = (pair) => Array.isArray(pair) && isIndex(pair[0], layers) && isIndex(pair[1], heads);
  const headsOf = (value) =>
    once(
      listed(value)
        .filter(isHead)
        .map(([layer, head]) => [layer, head]),
    );
  const length = Math.min(...sides.map(({ tokens }) => tokens.text.length));
  const areTokens = (value) => listed(value).length > 0 && value.every((token) => isIndex(token, length));
  settings.chosen = headsOf(settings.chosen);
  const share = (value, otherwise) => (typeof value === "number" && value > 0 && value <= 1 ? value : otherwise);
  const { matrix, lines } = Object(settings.mass);
  settings.mass = { matrix: share(matrix, DEFAULTS.mass.matrix), lines: share(lines, DEFAULTS.mass.lines) };
  const { heads: off, layers: whole, at } = Object(settings.off);
  const wholeOff = once(listed(whole).filter((layer) => isIndex(layer, layers)));
  settings.off = { heads: headsOf(off), layers: wholeOff, at: areTokens(at) ? once(at) : null };
  const { statistic } = settings;
  if (![...statistics, ...onDemand].some(({ name }) => name === statistic)) {
    const { queries, keys } = Object(statistic);
    settings.statistic = areTokens(queries) && areTokens(keys) ? { queries: once(queries), keys: once(keys) } : null;
  }
  if (!sides.some(({ second }) => second !== null)) settings.between = "all";
  if (!comparable) settings.compare = "sides";
  return settings;
}

/** The head to show, from one that was given; the first there is where that is none. */
export function validHead(given, { sides, inside }) {
  const [layer, head] = inside?.[0] ?? [0, 0];
  const { layers, heads } = sides[0];
  const side = isIndex(given?.side, sides.length) ? given.side : 0;
  const valid = isIndex(given?.layer, layers) && isIndex(given?.head, heads);
  return valid ? { layer: given.layer, head: given.head, side } : { layer, head, side };
}

/** What of the traits differs from the defaults. */
export function brief(settings, { layer, head, side }) {
  const changed = (from, defaults) =>
    Object.fromEntries(Object.entries(from).filter(([name, value]) => !same(value, defaults[name])));
  const { mass, off, chosen, ...others } = changed(settings, DEFAULTS);
  if (chosen && !same(chosen, [[layer, head]])) others.chosen = chosen;
  if (mass) others.mass = changed(mass, DEFAULTS.mass);
  if (off) others.off = changed(off, DEFAULTS.off);
  return {
    ...(layer || head || side ? { selected: { layer, head, ...(side ? { side } : {}) } } : {}),
    ...(Object.keys(others).length ? { settings: others } : {}),
  };
}

/** "lines" or "matrix". */
export function formOf(settings, sides) {
  const longest = Math.max(...sides.map(({ tokens }) => tokens.text.length));
  return settings.form ?? (longest <= SHORT ? "lines" : "matrix");
}
