// @ts-nocheck: not typed yet
// What is shown as lines of Python that give it again. Nothing here draws.

import { brief } from "./settings.js";

/** A value of JSON as Python writes it; pairs of heads are tuples there. */
function literal(value) {
  if (value === null) return "None";
  if (typeof value === "boolean") return value ? "True" : "False";
  if (Array.isArray(value)) return `[${value.map(literal).join(", ")}]`;
  if (typeof value === "object")
    return `{${Object.entries(value)
      .map(([name, item]) => `"${name}": ${literal(item)}`)
      .join(", ")}}`;
  return JSON.stringify(value);
}
const tuples = (heads) => `[${heads.map(([layer, head]) => `(${layer}, ${head})`).join(", ")}]`;

/** The matrix, of `inspection`. */
function matrixOf({ type, heads, layer, head, up_to: upTo }, settings, width) {
  if (type === "head") return `inspection.attention(${layer}, ${head})`;
  if (type === "rollout") return `inspection.rollout(${upTo})`;
  const whole = settings.show.startsWith("layer-");
  const chosen = whole ? `[(${heads[0][0]}, head) for head in range(${width})]` : heads ? tuples(heads) : "";
  return `inspection.${type}_attention(${chosen})`;
}

/** Lines that take from `attention` what is shown of it. */
function choiceOf({ second }, { units, special, between, renormalise }) {
  const pair = second !== null && between !== "all" ? between : null;
  const lines = [];
  if (pair || !special || units === "words") {
    for (const [name, sentence] of [
      ["rows", pair?.[0]],
      ["columns", pair?.[1]],
    ]) {
      const which = (of) =>
        pair ? ` if ${of} == ${sentence === "A" ? 0 : 1}` : special ? "" : ` if ${of} is not None`;
      if (units === "words")
        lines.push(`${name} = [list(word.tokens) for word in inspection.words${which("word.segment")}]`);
      else lines.push(`${name} = [i for i, segment in enumerate(inspection.segments)${which("segment")}]`);
    }
    if (units === "words")
      lines.push("attention = np.array([[attention[np.ix_(i, j)].sum(1).mean() for j in columns] for i in rows])");
    else lines.push("attention = attention[rows][:, columns]");
  }
  if (renormalise) lines.push("attention = attention / attention.sum(1, keepdims=True)");
  return lines;
}

/** What the map is about, if it is not the patterns: lines that make `statistic`, layers × heads. */
function statisticOf(explorer, names) {
  const { statistic } = explorer.settings;
  const of = (name) => {
    if (statistic === "importance") return `${name}.sweep().values`;
    if (typeof statistic === "string") return `${name}.statistic("${statistic}")`;
    return `${name}.pair(${literal(statistic.queries)}, ${literal(statistic.keys)})`;
  };
  if (statistic === null) return [];
  const sides = explorer.mapSides.map((side) => of(names[side]));
  if (statistic === "change")
    return ["from xlmrxl.views.protocol import changes", "statistic = changes(first, second)", "print(statistic)"];
  return [`statistic = ${sides.reverse().join(" - ")}  # layers × heads`, "print(statistic)"];
}

/** See Explorer.python. */
export function pythonOf(explorer, begun) {
  const { sides, settings, selected } = explorer;
  const two = sides.length > 1;
  const names = two ? ["first", "second"] : ["inspection"];
  const body = [
    `attention = ${matrixOf(explorer.request(0), settings, explorer.heads)}`,
    ...choiceOf(sides[0], settings),
  ];
  body[0] += "  # rows look, columns are looked at";
  const lines = [];
  if (!two) lines.push(...body, "print(attention)");
  else {
    lines.push("", "def shown(inspection):", ...[...body, "return attention"].map((line) => `    ${line}`), "");
    if (settings.compare === "difference") lines.push("attention = shown(second) - shown(first)", "print(attention)");
    else lines.push("attentions = [shown(first), shown(second)]", "print(*attentions)");
  }
  lines.push(...statisticOf(explorer, names));
  const { heads, layers, at } = settings.off;
  if (heads.length || layers.length) {
    const off = [
      heads.length ? tuples(heads) : "",
      layers.length ? `layers=${literal(layers)}` : "",
      at === null ? "" : `at=${literal(at)}`,
    ];
    lines.push(...names.map((name) => `print(${name}.ablate(${off.filter(Boolean).join(", ")}))`));
  }
  const told = [names[0], ...(two ? ["other=second"] : []), `selected=(${selected.layer}, ${selected.head})`];
  const { settings: changed } = brief(settings, selected);
  if (changed) told.push(`settings=${literal(changed)}`);
  lines.push(
    "# In a notebook: from xlmrxl.widgets import AttentionExplorer",
    `# AttentionExplorer(${told.join(", ")})`,
  );
  const numpy = lines.some((line) => line.includes("np.")) ? "import numpy as np\n" : "";
  return `${numpy}${begun}${lines.join("\n")}\n`;
}
