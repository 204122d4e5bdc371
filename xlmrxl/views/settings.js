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

const isIndex = (value, count) => Number.isInteger(value) && value >= 0 && value < count;

/** All settings, from those that were given; what does not hold for the texts and heads of `meta` is left out. */
export function completed(given, meta) {
  const { sides, same_tokens: comparable, statistics, on_demand: onDemand } = meta;
  const { layers, heads } = sides[0];
  const settings = { ...DEFAULTS, ...given };
  for (const [name, values] of Object.entries(ALLOWED)) if (!values.includes(settings[name])) settings[name] = DEFAULTS[name];
  const list = (value) => (Array.isArray(value) ? value : []);
  const headsOf = (value) => list(value).filter((pair) => isIndex(pair?.[0], layers) && isIndex(pair?.[1], heads));
  const length = Math.min(...sides.map(({ tokens }) => tokens.text.length));
  const areTokens = (value) => Array.isArray(value) && value.length > 0 && value.every((token) => isIndex(token, length));
  settings.chosen = headsOf(settings.chosen);
  settings.mass = { ...DEFAULTS.mass, ...settings.mass };
  for (const form of ["matrix", "lines"]) if (!(settings.mass[form] > 0 && settings.mass[form] <= 1)) settings.mass[form] = DEFAULTS.mass[form];
  const { heads: off, layers: whole, at } = settings.off ?? {};
  settings.off = { heads: headsOf(off), layers: list(whole).filter((layer) => isIndex(layer, layers)), at: areTokens(at) ? at : null };
  const { statistic } = settings;
  const known = [...statistics, ...onDemand].some(({ name }) => name === statistic);
  if (!known && !(areTokens(statistic?.queries) && areTokens(statistic?.keys))) settings.statistic = null;
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

/** "lines" or "matrix". */
export function formOf(settings, sides) {
  const longest = Math.max(...sides.map(({ tokens }) => tokens.text.length));
  return settings.form ?? (longest <= SHORT ? "lines" : "matrix");
}
