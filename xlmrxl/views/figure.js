// @ts-nocheck: not typed yet
// What is shown, to take away: SVG and PNG for a paper, CSV and JSON for a program.

import { palette, Scale } from "./colours.js";
import { isRightToLeft } from "./dom.js";
import { formatNumber, formatPercent } from "./numbers.js";

const FONTS = "IBM Plex Sans, Noto Sans, Helvetica, Arial, sans-serif";
const GREYS = { ink: 9, soft: 6, line: 3 }; // steps of the palette, on white paper
const grey = (name) => palette.grey[GREYS[name]];
const MARGIN = 16;
const PIXELS = 8192; // of a picture's edge, which not every browser exceeds

const escaped = (text) =>
  String(text).replace(/[&<>"]/g, (c) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" })[c]);
const round = (value) => Number(value.toFixed(2));
let measuring;

function widthOf(text, size) {
  measuring ??= document.createElement("canvas").getContext("2d");
  measuring.font = `${size}px ${FONTS}`;
  return measuring.measureText(text).width;
}

/** A label in its own direction, centred on y; `anchor` as if it ran from left to right. Not every program that opens
 * an SVG knows dominant-baseline. */
function label(text, x, y, { size = 12, anchor = "start", fill = grey("ink"), turned = false, weight = null } = {}) {
  const rtl = isRightToLeft(text);
  const side = rtl ? { start: "end", end: "start", middle: "middle" }[anchor] : anchor;
  const down = 0.35 * size;
  const place = turned
    ? `transform="translate(${round(x + down)} ${round(y)}) rotate(-90)"`
    : `x="${round(x)}" y="${round(y + down)}"`;
  const more = (rtl ? ' direction="rtl"' : "") + (weight ? ` font-weight="${weight}"` : "");
  return `<text ${place} font-size="${size}" text-anchor="${side}" fill="${fill}"${more}>${escaped(text)}</text>`;
}

const rect = (x, y, width, height, fill) =>
  `<rect x="${round(x)}" y="${round(y)}" width="${round(width)}" height="${round(height)}" fill="${fill}"/>`;

/** A bar of the scale with its ends. */
function legend(scale, low, high, x, y) {
  const steps = Array.from({ length: 24 }, (_, i) =>
    rect(x + widthOf(low, 11) + 6 + i * 4, y - 4, 4.2, 8, scale.css(i / 23)),
  );
  return (
    label(low, x, y, { size: 11, fill: grey("soft") }) +
    steps.join("") +
    label(high, x + widthOf(low, 11) + 110, y, { size: 11, fill: grey("soft") })
  );
}

/** {body, width, height} of a matrix. */
function matrixFigure(shown) {
  const { rows, columns, peak, signed, mass } = shown;
  const most = Math.max(rows.length, columns.length);
  const size = most <= 40 ? 18 : most <= 80 ? 12 : most <= 160 ? 7 : 4;
  const font = Math.min(12, Math.max(4, size - 1));
  const longest = (units) => units.reduce((width, { text }) => Math.max(width, widthOf(text, font)), 0);
  const [left, top] = [longest(rows) + 8, longest(columns) + 8];
  const scale = new Scale("light", signed);
  const parts = [];
  rows.forEach((row, i) => {
    parts.push(label(row.text, left - 5, top + (i + 0.5) * size, { size: font, anchor: "end" }));
    for (const j of mass < 1 ? shown.edges(i) : columns.keys()) {
      const value = shown.value(i, j);
      const level = scale.level(value, peak);
      if (scale.pixels[level] !== 0xffffffff)
        parts.push(rect(left + j * size, top + i * size, size, size, scale.colours[level]));
    }
  });
  for (const [j, { text }] of columns.entries()) {
    parts.push(label(text, left + (j + 0.5) * size, top - 5, { size: font, turned: true }));
  }
  const [width, height] = [left + columns.length * size, top + rows.length * size];
  parts.push(
    `<rect x="${round(left)}" y="${round(top)}" width="${columns.length * size}" height="${rows.length * size}" fill="none" stroke="${grey("line")}"/>`,
  );
  const ends = signed ? [`−${formatNumber(peak)}`, `+${formatNumber(peak)}`] : ["0", formatNumber(peak)];
  parts.push(legend(scale, ends[0], `${ends[1]} (square-root scale)`, left, height + 16));
  return { body: parts.join("\n"), width: Math.max(width, left + 290), height: height + 26 };
}

/** {body, width, height} of lines; of those that are picked alone, if any are. */
function linesFigure(shown, pane) {
  const { rows, columns, peak, signed } = shown;
  const step = 22;
  const longest = (units) => units.reduce((width, { text }) => Math.max(width, widthOf(text, 13)), 0);
  const left = longest(rows) + 8;
  const right = left + 240;
  const scale = new Scale("light", true);
  const picked = pane.picked();
  const parts = [];
  for (const i of rows.keys()) {
    if (picked && !picked.rows.has(i) && !picked.columns.size) continue;
    for (const j of shown.edges(i)) {
      if (picked && !picked.rows.has(i) && !picked.columns.has(j)) continue;
      const strength = Math.abs(shown.value(i, j)) / peak;
      const [y, to] = [(i + 0.5) * step, (j + 0.5) * step];
      const colour = scale.css(signed && shown.value(i, j) < 0 ? 0.12 : 0.88);
      parts.push(
        `<path d="M${round(left)} ${y}C${round(left + 120)} ${y} ${round(left + 120)} ${to} ${round(right)} ${to}" fill="none" stroke="${colour}" stroke-width="${round(0.5 + 2 * strength)}" stroke-opacity="${round(0.15 + 0.75 * strength)}"/>`,
      );
    }
  }
  for (const [i, { text }] of rows.entries())
    parts.push(label(text, left - 5, (i + 0.5) * step, { size: 13, anchor: "end" }));
  for (const [j, { text }] of columns.entries()) parts.push(label(text, right + 5, (j + 0.5) * step, { size: 13 }));
  return {
    body: parts.join("\n"),
    width: right + longest(columns) + 8,
    height: Math.max(rows.length, columns.length) * step,
  };
}

/** {body, width, height} of the map of all heads. */
function mapFigure(explorer) {
  const { map, layers, heads } = explorer;
  const [size, gap, left, top] = [14, 2, 34, 18];
  const values = explorer.cells === "values";
  const scale = new Scale("light", values && map.signed);
  const { side } = explorer.selected;
  const { thumbnail } = explorer.sides[side];
  const parts = [];
  map.order.forEach((index, place) => {
    const [x, y] = [left + (place % heads) * (size + gap), top + Math.floor(place / heads) * (size + gap)];
    if (values) {
      parts.push(
        rect(
          x,
          y,
          size,
          size,
          Number.isFinite(map.values[index]) ? scale.css(explorer.shareOf(map.values[index])) : "#ffffff",
        ),
      );
      return;
    }
    const cells = explorer.thumbnails[side].subarray(index * thumbnail ** 2, (index + 1) * thumbnail ** 2);
    const peak = cells.reduce((most, value) => Math.max(most, value), 0);
    const paths = new Map(); // a path a colour: a rectangle a cell would be ten times as long
    cells.forEach((value, at) => {
      const level = scale.level(value, peak) & ~15;
      if (!level) return;
      const edge = size / thumbnail;
      const square = `M${round(x + (at % thumbnail) * edge)} ${round(y + Math.floor(at / thumbnail) * edge)}h${round(edge)}v${round(edge)}h-${round(edge)}z`;
      paths.set(level, (paths.get(level) ?? "") + square);
    });
    parts.push(`<g>${[...paths].map(([level, d]) => `<path d="${d}" fill="${scale.colours[level]}"/>`).join("")}</g>`);
    parts.push(
      `<rect x="${x}" y="${y}" width="${size}" height="${size}" fill="none" stroke="${grey("line")}" stroke-width="0.5"/>`,
    );
  });
  if (map.order.every((index, place) => index === place)) {
    for (let i = 0; i < layers; i++)
      parts.push(
        label(`L${i}`, left - 5, top + i * (size + gap) + size / 2, { size: 9, anchor: "end", fill: grey("soft") }),
      );
    for (let i = 0; i < heads; i += heads > 10 ? 2 : 1)
      parts.push(
        label(`H${i}`, left + i * (size + gap) + size / 2, top - 8, { size: 9, anchor: "middle", fill: grey("soft") }),
      );
  }
  const height = top + layers * (size + gap);
  if (values) {
    const ends = map.signed
      ? [formatNumber(-map.peak, true), formatNumber(map.peak, true)]
      : [formatNumber(map.least), formatNumber(map.most)];
    parts.push(legend(scale, ends[0], `${ends[1]} ${map.unit}`, left, height + 14));
  }
  return {
    body: parts.join("\n"),
    width: Math.max(left + heads * (size + gap), left + 290),
    height: height + (values ? 24 : 4),
  };
}

/** {body, width, height} of what switching off does on one side. */
function offFigure({ effects }) {
  const [step, bars, space] = [22, 180, 16];
  const names = effects.flatMap(({ outcomes }) => outcomes.map(({ text }) => text));
  const left = Math.max(60, ...names.map((name) => widthOf(name, 12))) + 10;
  const parts = [];
  let y = 0;
  for (const { title, position, kl, outcomes } of effects) {
    const place = position === null ? "" : ` at ${position}`;
    parts.push(
      label(`${title}${place}${kl === null ? "" : `, KL ${formatNumber(kl)} nats`}`, 0, y + 8, {
        size: 12,
        weight: 600,
      }),
    );
    parts.push(label("before", left + bars + 52, y + 8, { size: 11, anchor: "end", fill: grey("soft") }));
    parts.push(label("after", left + bars + 104, y + 8, { size: 11, anchor: "end", fill: grey("soft") }));
    const most = Math.max(...outcomes.flatMap(({ before, after }) => [before, after]), 1e-9);
    outcomes.forEach(({ text, before, after }, i) => {
      const top = y + 20 + i * step;
      parts.push(label(text, left - 8, top + 8, { anchor: "end" }));
      [before, after].forEach((value, row) => {
        if (kl !== null)
          parts.push(rect(left, top + 2 + 7 * row, Math.max(0.5, (bars * value) / most), 5, palette.hue[row ? 6 : 3]));
        parts.push(
          label(kl === null ? formatNumber(value) : formatPercent(value), left + bars + 52 + 52 * row, top + 8, {
            size: 11,
            anchor: "end",
          }),
        );
      });
    });
    y += 20 + outcomes.length * step + space;
  }
  return { body: parts.join("\n"), width: left + bars + 110, height: y };
}

/** What is exported, as plain values that say where they come from. */
export function described(explorer, what) {
  const { settings, selected, sides } = explorer;
  const title = { head: explorer.title, map: explorer.mapTitle, off: `Without ${offInWords(settings)}` }[what];
  const about = { what: title, counted_from: 0, selected, settings };
  return { ...about, sides: sides.map(({ text, second, source }) => ({ text, second, source })) };
}

/** An SVG of the head view or of the map, in the colours of paper. */
export function svg(explorer, what, panes) {
  const pieces = {
    map: () => [mapFigure(explorer)],
    off: () => explorer.ablation.found.map(offFigure),
    head: () =>
      explorer.shown.map((shown, side) =>
        explorer.form === "lines" ? linesFigure(shown, panes[side]) : matrixFigure(shown),
      ),
  }[what]();
  const about = described(explorer, what);
  const shown = what === "map" ? [explorer.sides[explorer.selected.side]] : explorer.sides;
  let x = MARGIN;
  const body = pieces.map((piece, side) => {
    const caption = pieces.length > 1 ? label(shown[side].text, x, 46, { size: 12, fill: grey("soft") }) : "";
    const group = `${caption}<g transform="translate(${round(x)} ${pieces.length > 1 ? 60 : 48})">${piece.body}</g>`;
    x += piece.width + 40;
    return group;
  });
  const sources = shown.map(
    ({ source }) => `${source.model}${source.revision ? `@${source.revision}` : ""}, ${source.precision}`,
  );
  const foot = `${[...new Set(sources)].join("; ")}; ${settingsInWords(explorer, what)}`;
  const width = Math.max(x - 40 + MARGIN, widthOf(foot, 10) + 2 * MARGIN);
  const height = Math.max(...pieces.map((piece) => piece.height)) + (pieces.length > 1 ? 60 : 48) + 34;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${round(width)}" height="${round(height)}" viewBox="0 0 ${round(width)} ${round(height)}" font-family="${FONTS}">`,
    `<title>${escaped(`${about.what}: ${about.sides[0].text}`)}</title>`,
    `<metadata>${escaped(JSON.stringify(about))}</metadata>`,
    rect(0, 0, width, height, "#ffffff"),
    label(about.what, MARGIN, 24, { size: 15, weight: 600 }),
    ...body,
    label(foot, MARGIN, height - 16, { size: 10, fill: grey("soft") }),
    "</svg>",
  ].join("\n");
}

function offInWords({ off: { heads, layers } }) {
  return [...heads.map(([layer, head]) => `L${layer} H${head}`), ...layers.map((layer) => `layer ${layer}`)].join(", ");
}

function settingsInWords({ settings, form }, what) {
  if (what !== "head") return "layers and heads counted from 0";
  const words = [settings.units, settings.special ? "<s> and </s> shown" : "without <s> and </s>"];
  if (settings.between !== "all") words.push(`${settings.between[0]} to ${settings.between[1]}`);
  words.push(settings.renormalise ? "rows renormalised" : "rows not renormalised");
  const mass = settings.mass[form];
  if (mass < 1) words.push(`${Math.round(100 * mass)}% of each row`);
  return `${words.join(", ")}; layers and heads counted from 0`;
}

/** An SVG as a PNG of twice its size. */
export async function png(text) {
  const url = URL.createObjectURL(new Blob([text], { type: "image/svg+xml" }));
  try {
    const image = new Image();
    image.src = url;
    await image.decode();
    const ratio = Math.min(2, PIXELS / Math.max(image.width, image.height));
    const canvas = document.createElement("canvas");
    canvas.width = Math.round(image.width * ratio);
    canvas.height = Math.round(image.height * ratio);
    canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
    return await new Promise((resolve) => canvas.toBlob(resolve, "image/png"));
  } finally {
    URL.revokeObjectURL(url);
  }
}

/** Rows of what is shown, all with the same columns. */
export async function rows(explorer, what) {
  if (what === "off") {
    return explorer.ablation.found.flatMap(({ effects }, side) =>
      effects.flatMap(({ outcomes, title, position, kl }) =>
        outcomes.map(({ text, before, after }) => ({ side, title, position, kl, outcome: text, before, after })),
      ),
    );
  }
  if (what === "map") {
    const { side } = explorer.selected;
    const names = explorer.meta.statistics.map(({ name }) => name);
    const values = await Promise.all(names.map((name) => explorer.mapOf(side, name)));
    const own = explorer.map.values && !names.includes(explorer.settings.statistic) ? explorer.map : null;
    return Array.from({ length: explorer.layers * explorer.heads }, (_, i) => ({
      side,
      layer: Math.floor(i / explorer.heads),
      head: i % explorer.heads,
      ...Object.fromEntries(names.map((name, place) => [name, values[place][i]])),
      ...(own ? { [own.name]: own.values[i] } : {}),
    }));
  }
  return explorer.shown.flatMap((shown, side) =>
    shown.rows.flatMap((row, i) =>
      shown.columns.map((column, j) => ({
        side,
        query: row.index,
        query_text: row.text,
        key: column.index,
        key_text: column.text,
        weight: rounded(shown.value(i, j)),
        error: rounded(shown.error(i, j)),
      })),
    ),
  );
}

const rounded = (value) => Number(value.toPrecision(6));

/** Rows as RFC 4180 has them. */
export function csv(list) {
  const names = Object.keys(list[0] ?? {});
  const cell = (value) => {
    const text = value === null || value === undefined ? "" : String(value);
    return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  };
  return (
    [names, ...list.map((row) => names.map((name) => row[name]))].map((row) => row.map(cell).join(",")).join("\r\n") +
    "\r\n"
  );
}

/** What is shown as JSON, with all that is needed to get it again. */
export async function json(explorer, what) {
  const about = described(explorer, what);
  if (what === "off") return JSON.stringify({ ...about, found: explorer.ablation.found });
  if (what === "map") return JSON.stringify({ ...about, heads: await rows(explorer, what) });
  const views = explorer.shown.map((shown) => ({
    rows: shown.rows,
    columns: shown.columns,
    weights: shown.rows.map((_, i) => shown.columns.map((_, j) => rounded(shown.value(i, j)))),
    errors: shown.rows.map((_, i) =>
      rounded(shown.columns.reduce((most, _, j) => Math.max(most, shown.error(i, j)), 0)),
    ),
  }));
  return JSON.stringify({ ...about, views });
}
