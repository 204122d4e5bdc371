// What is shown as lines of Python that give it again. Nothing here draws.

import { shortenTraits } from "./settings.js";

/** @import { Between, Head, MatrixRequest, Selected, Settings, Side, Statistic, TokenPair } from "./protocol" */

/** Return a value of JSON as Python writes it. @param {unknown} value @returns {string} */
function writeLiteral(value) {
  if (value === null) return "None";
  if (typeof value === "boolean") return value ? "True" : "False";
  if (Array.isArray(value)) return `[${value.map(writeLiteral).join(", ")}]`;
  if (typeof value === "object" && value) {
    const fields = Object.entries(value).map(([name, item]) => `"${name}": ${writeLiteral(item)}`);
    return `{${fields.join(", ")}}`;
  }
  return JSON.stringify(value);
}

/** Return heads as Python takes them: pairs are tuples there. @param {Head[]} heads */
function writeHeads(heads) {
  return `[${heads.map(([layer, head]) => `(${layer}, ${head})`).join(", ")}]`;
}

/**
 * Return the matrix that was asked for, of `inspection`.
 *
 * @param {MatrixRequest} request
 * @param {Settings} settings
 * @param {number} width heads of a layer
 */
function writeMatrix(request, settings, width) {
  if (request.type === "head") return `inspection.attention(${request.layer}, ${request.head})`;
  if (request.type === "rollout") return `inspection.rollout(${request.up_to})`;
  const { heads } = request;
  const isLayer = settings.show.startsWith("layer-");
  const all = heads ? writeHeads(heads) : "";
  const chosen = isLayer && heads ? `[(${heads[0][0]}, head) for head in range(${width})]` : all;
  return `inspection.${request.type}_attention(${chosen})`;
}

/**
 * Return lines that take from `attention` what is shown of it.
 *
 * @param {Side} side
 * @param {Settings} settings
 */
function writeChoice({ text_pair: text }, { units, special, between, renormalise }) {
  const pair = text !== null && between !== "all" ? between : null;
  const lines = [];
  if (pair || !special || units === "words") {
    const axes = /** @type {const} */ ([
      ["rows", 0],
      ["columns", 1],
    ]);
    for (const [name, place] of axes) lines.push(`${name} = ${writeUnits(units, pair, place, special)}`);
    if (units === "words") {
      lines.push("attention = np.array([[attention[np.ix_(i, j)].sum(1).mean() for j in columns] for i in rows])");
    } else {
      lines.push("attention = attention[rows][:, columns]");
    }
  }
  if (renormalise) lines.push("attention = attention / attention.sum(1, keepdims=True)");
  return lines;
}

/**
 * Return the list of what is shown as rows or as columns.
 *
 * @param {Settings["units"]} units
 * @param {Between | null} pair
 * @param {0 | 1} place of the sentence in `pair`: 0 for rows, 1 for columns
 * @param {boolean} special
 */
function writeUnits(units, pair, place, special) {
  const segment = units === "words" ? "word.segment" : "segment";
  let condition = special ? "" : ` if ${segment} is not None`;
  if (pair) condition = ` if ${segment} == ${pair[place] === "A" ? 0 : 1}`;
  if (units === "words") return `[list(word.tokens) for word in inspection.words${condition}]`;
  return `[i for i, segment in enumerate(inspection.segments)${condition}]`;
}

/**
 * Return lines that make `statistic`, layers × heads; none where the map is about the patterns.
 *
 * @param {Settings["statistic"]} statistic
 * @param {string[]} names of the inspections that it is of
 * @param {Map<string, Statistic>} known
 */
function writeStatistic(statistic, names, known) {
  if (statistic === null) return [];
  const declared = typeof statistic === "string" ? known.get(statistic) : undefined;
  const imports = declared?.python_import ? [declared.python_import] : [];
  if (declared?.needs === "comparison") {
    const change = declared.python.replace("{first}", "first").replace("{second}", "second");
    return [...imports, `statistic = ${change}`, "print(statistic)"];
  }
  const values = names.map((name) => {
    if (declared) return declared.python.replace("{inspection}", name);
    const { queries, keys } = /** @type {TokenPair} */ (statistic);
    return `${name}.pair_attention(${writeLiteral(queries)}, ${writeLiteral(keys)})`;
  });
  return [...imports, `statistic = ${values.reverse().join(" - ")}  # layers × heads`, "print(statistic)"];
}

/**
 * What of the explorer the lines are about.
 * @typedef {object} State
 * @property {Side[]} sides
 * @property {Settings} settings
 * @property {Selected} selected
 * @property {number} heads of a layer
 * @property {MatrixRequest} request what the first side is asked for
 * @property {number[]} mapSides of which the map is
 * @property {Map<string, Statistic>} known the statistics by name
 */

/**
 * Return lines of Python that give what is shown.
 *
 * @param {State} state
 * @param {string} begun lines that make `inspection`, or `first` and `second`
 */
export function writePython({ sides, settings, selected, heads: width, request, mapSides, known }, begun) {
  const isTwo = sides.length > 1;
  const names = isTwo ? ["first", "second"] : ["inspection"];
  const matrix = `attention = ${writeMatrix(request, settings, width)}  # rows look, columns are looked at`;
  const body = [matrix, ...writeChoice(sides[0], settings)];
  const lines = [];
  if (!isTwo) lines.push(...body, "print(attention)");
  else {
    lines.push("", "def shown(inspection):", ...[...body, "return attention"].map((line) => `    ${line}`), "");
    if (settings.compare === "difference") lines.push("attention = shown(second) - shown(first)", "print(attention)");
    else lines.push("attentions = [shown(first), shown(second)]", "print(*attentions)");
  }
  const named = mapSides.map((side) => names[side]);
  lines.push(...writeStatistic(settings.statistic, named, known));
  const { heads, layers, positions } = settings.off;
  if (heads.length || layers.length) {
    const off = [
      heads.length ? writeHeads(heads) : "",
      layers.length ? `layers=${writeLiteral(layers)}` : "",
      positions === null ? "" : `positions=${writeLiteral(positions)}`,
    ];
    lines.push(...names.map((name) => `print(${name}.ablate(${off.filter(Boolean).join(", ")}))`));
  }
  const traits = [names[0], ...(isTwo ? ["other=second"] : []), `selected=(${selected.layer}, ${selected.head})`];
  const { settings: changed } = shortenTraits(settings, selected);
  if (changed) traits.push(`settings=${writeLiteral(changed)}`);
  lines.push(
    "# In a notebook: from xlmrxl.widgets import AttentionExplorer",
    `# AttentionExplorer(${traits.join(", ")})`,
  );
  const numpy = lines.some((line) => line.includes("np.")) ? "import numpy as np\n" : "";
  return `${numpy}${begun}${lines.join("\n")}\n`;
}
