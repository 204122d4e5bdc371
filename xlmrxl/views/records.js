// What is shown, to take away for a program: CSV and JSON, and what says where it comes from.

/** @import { Explorer } from "./explorer.js" */
/** @import { Settings } from "./protocol" */

/** What there is to take away: the head view, the map, what switching off does. @typedef {"head" | "map" | "off"} What */
/** @typedef {Record<string, string | number | null>} Row */

/** Return a weight with the digits that mean something. @param {number} value */
const roundWeight = (value) => Number(value.toPrecision(6));

/** Return plain values that say where what is taken away comes from. @param {Explorer} explorer @param {What} what */
export function describe(explorer, what) {
  const { settings, selected, sides } = explorer;
  const titles = { head: explorer.title, map: explorer.mapTitle, off: `Without ${nameOff(settings)}` };
  const about = { what: titles[what], counted_from: 0, selected, settings };
  return { ...about, sides: sides.map(({ text, text_pair, source }) => ({ text, text_pair, source })) };
}

/** Name what is switched off. @param {Settings} settings */
function nameOff({ off: { heads, layers } }) {
  return [...heads.map(([layer, head]) => `L${layer} H${head}`), ...layers.map((layer) => `layer ${layer}`)].join(", ");
}

/** Say with which settings it is shown. @param {Explorer} explorer @param {What} what */
export function describeSettings({ settings, form }, what) {
  const counted = "layers and heads counted from 0";
  if (what !== "head") return counted;
  const words = [settings.units, settings.special ? "<s> and </s> shown" : "without <s> and </s>"];
  if (settings.between !== "all") words.push(`${settings.between[0]} to ${settings.between[1]}`);
  words.push(settings.renormalise ? "rows renormalised" : "rows not renormalised");
  const mass = settings.mass[form];
  if (mass < 1) words.push(`${Math.round(100 * mass)}% of each row`);
  return `${words.join(", ")}; ${counted}`;
}

/**
 * List what is shown as rows that all have the same columns.
 *
 * @param {Explorer} explorer
 * @param {What} what
 * @returns {Promise<Row[]>}
 */
export async function listRows(explorer, what) {
  if (what === "map") return listHeads(explorer);
  if (what === "off") {
    return (explorer.ablation?.found ?? []).flatMap(({ effects }, side) =>
      effects.flatMap(({ outcomes, title, position, kl }) =>
        outcomes.map(({ text, before, after }) => ({ side, title, position, kl, outcome: text, before, after })),
      ),
    );
  }
  return (explorer.shown ?? []).flatMap((shown, side) =>
    shown.rows.flatMap((row, i) =>
      shown.columns.map((column, j) => ({
        side,
        query: row.index,
        query_text: row.text,
        key: column.index,
        key_text: column.text,
        weight: roundWeight(shown.value(i, j)),
        error: roundWeight(shown.error(i, j)),
      })),
    ),
  );
}

/** List all heads with their statistics, and with what the map is about. @param {Explorer} explorer */
async function listHeads(explorer) {
  const { side } = explorer.selected;
  const { layers, heads, map } = explorer;
  /** @type {Map<string, Float32Array>} */
  const columns = new Map();
  for (const { name } of explorer.measured) columns.set(name, await explorer.mapOf(side, name));
  if (map?.values && !columns.has(map.name)) columns.set(map.name, map.values);
  return Array.from({ length: layers * heads }, (_, i) => ({
    side,
    layer: Math.floor(i / heads),
    head: i % heads,
    ...Object.fromEntries([...columns].map(([name, values]) => [name, values[i]])),
  }));
}

/** Write rows as RFC 4180 has them. @param {Row[]} rows */
export function writeCsv(rows) {
  const names = Object.keys(rows[0] ?? {});
  /** @param {string | number | null} value */
  const writeCell = (value) => {
    const text = String(value ?? "");
    return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  };
  const lines = [names, ...rows.map((row) => names.map((name) => row[name]))];
  return lines.map((line) => `${line.map(writeCell).join(",")}\r\n`).join("");
}

/** Write what is shown as JSON, with all that is needed to get it again. @param {Explorer} explorer @param {What} what */
export async function writeJson(explorer, what) {
  const about = describe(explorer, what);
  if (what === "off") return JSON.stringify({ ...about, found: explorer.ablation?.found });
  if (what === "map") return JSON.stringify({ ...about, heads: await listHeads(explorer) });
  const views = (explorer.shown ?? []).map((shown) => ({
    rows: shown.rows,
    columns: shown.columns,
    weights: shown.rows.map((_, i) => shown.columns.map((_, j) => roundWeight(shown.value(i, j)))),
    errors: shown.rows.map((_, i) => roundWeight(Math.max(0, ...shown.columns.map((_, j) => shown.error(i, j))))),
  }));
  return JSON.stringify({ ...about, views });
}
