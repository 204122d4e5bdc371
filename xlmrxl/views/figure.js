// What is shown, to take away for a paper: SVG and PNG.

import { palette, Scale } from "./colours.js";
import { getContext, isRightToLeft } from "./dom.js";
import { LinesPane, listEdges } from "./lines.js";
import { formatNumber, formatPercent } from "./numbers.js";
import { describe, describeSettings } from "./records.js";

/** @import { Explorer, HeadMapValues } from "./explorer.js" */
/** @import { Picked } from "./lines.js" */
/** @import { MatrixPane } from "./matrix.js" */
/** @import { Ablation } from "./protocol" */
/** @import { What } from "./records.js" */
/** @import { Shown, Unit } from "./weights.js" */

/** A part of a figure. @typedef {{ body: string, width: number, height: number }} Piece */

const FONTS = "IBM Plex Sans, Noto Sans, Helvetica, Arial, sans-serif";
const GREYS = { ink: 9, soft: 6, line: 3 }; // steps of the palette, on white paper
const MARGIN = 16;
const APART = 40; // between what stands side by side
const PIXELS = 8192; // of a picture's edge, which not every browser exceeds
/** @type {Record<string, string>} */
const ESCAPES = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" };

/** @param {keyof typeof GREYS} name */
const grey = (name) => palette.grey[GREYS[name]];

/** @param {string} text */
const escapeXml = (text) => text.replace(/[&<>"]/g, (c) => ESCAPES[c]);

/** @param {number} value */
const round = (value) => Number(value.toFixed(2));

/** @type {CanvasRenderingContext2D | null} */
let measuring = null;

/** Return the width of a text. @param {string} text @param {number} size */
function measure(text, size) {
  measuring ??= getContext(document.createElement("canvas"));
  measuring.font = `${size}px ${FONTS}`;
  return measuring.measureText(text).width;
}

/** Return the width of the longest one. @param {Unit[]} units @param {number} size */
function measureLongest(units, size) {
  return units.reduce((width, { text }) => Math.max(width, measure(text, size)), 0);
}

/**
 * Draw a label in its own direction, centred on y. Not every program that opens an SVG knows dominant-baseline.
 *
 * @param {string} text
 * @param {number} x
 * @param {number} y
 * @param {object} look
 * @param {number} [look.size]
 * @param {"start" | "middle" | "end"} [look.anchor] as if the text ran from left to right
 * @param {string} [look.fill]
 * @param {boolean} [look.turned]
 * @param {number | null} [look.weight]
 */
function label(text, x, y, { size = 12, anchor = "start", fill = grey("ink"), turned = false, weight = null } = {}) {
  const isFromRight = isRightToLeft(text);
  const ends = /** @type {const} */ ({ start: "end", end: "start", middle: "middle" });
  const side = isFromRight ? ends[anchor] : anchor;
  const down = 0.35 * size;
  const place = turned
    ? `transform="translate(${round(x + down)} ${round(y)}) rotate(-90)"`
    : `x="${round(x)}" y="${round(y + down)}"`;
  const more = (isFromRight ? ' direction="rtl"' : "") + (weight ? ` font-weight="${weight}"` : "");
  return `<text ${place} font-size="${size}" text-anchor="${side}" fill="${fill}"${more}>${escapeXml(text)}</text>`;
}

/**
 * Draw a rectangle.
 *
 * @param {number} x
 * @param {number} y
 * @param {number} width
 * @param {number} height
 * @param {string} fill
 * @param {string} more attributes
 */
function rect(x, y, width, height, fill, more = "") {
  const size = `width="${round(width)}" height="${round(height)}"`;
  return `<rect x="${round(x)}" y="${round(y)}" ${size} fill="${fill}"${more}/>`;
}

/**
 * Draw a bar of the scale with its ends.
 *
 * @param {Scale} scale
 * @param {[low: string, high: string]} ends
 * @param {number} x
 * @param {number} y
 */
function legend(scale, [low, high], x, y) {
  const bar = x + measure(low, 11) + 6;
  const steps = Array.from({ length: 24 }, (_, i) => rect(bar + i * 4, y - 4, 4.2, 8, scale.css(i / 23)));
  const look = { size: 11, fill: grey("soft") };
  return label(low, x, y, look) + steps.join("") + label(high, bar + 104, y, look);
}

/** Draw a matrix. @param {Shown} shown @returns {Piece} */
function drawMatrix(shown) {
  const { rows, columns, peak, signed, mass } = shown;
  const most = Math.max(rows.length, columns.length);
  const size = most <= 40 ? 18 : most <= 80 ? 12 : most <= 160 ? 7 : 4;
  const font = Math.min(12, Math.max(4, size - 1));
  const [left, top] = [measureLongest(rows, font) + 8, measureLongest(columns, font) + 8];
  const scale = new Scale("light", signed);
  const parts = [];
  for (const [i, row] of rows.entries()) {
    parts.push(label(row.text, left - 5, top + (i + 0.5) * size, { size: font, anchor: "end" }));
    for (const j of mass < 1 ? shown.edges(i) : columns.keys()) {
      const value = shown.value(i, j);
      const level = scale.level(value, peak);
      if (scale.pixels[level] === 0xffffffff) continue;
      parts.push(rect(left + j * size, top + i * size, size, size, scale.colours[level]));
    }
  }
  for (const [j, { text }] of columns.entries()) {
    parts.push(label(text, left + (j + 0.5) * size, top - 5, { size: font, turned: true }));
  }
  const [width, height] = [left + columns.length * size, top + rows.length * size];
  parts.push(rect(left, top, columns.length * size, rows.length * size, "none", ` stroke="${grey("line")}"`));
  const number = formatNumber(peak);
  const [low, high] = signed ? [`−${number}`, `+${number}`] : ["0", number];
  parts.push(legend(scale, [low, `${high} (square-root scale)`], left, height + 16));
  return { body: parts.join("\n"), width: Math.max(width, left + 290), height: height + 26 };
}

/** Draw lines; those that are picked alone, if any are. @param {Shown} shown @param {Picked | null} picked @returns {Piece} */
function drawLines(shown, picked) {
  const { rows, columns, peak, signed } = shown;
  const step = 22;
  const left = measureLongest(rows, 13) + 8;
  const right = left + 240;
  const scale = new Scale("light", true);
  const parts = [];
  for (const [i, j] of listEdges(shown, picked, 0, rows.length)) {
    const strength = Math.abs(shown.value(i, j)) / peak;
    const [y, to] = [(i + 0.5) * step, (j + 0.5) * step];
    const colour = scale.css(signed && shown.value(i, j) < 0 ? 0.12 : 0.88);
    const middle = round(left + 120);
    const curve = `M${round(left)} ${y}C${middle} ${y} ${middle} ${to} ${round(right)} ${to}`;
    const stroke = `stroke-width="${round(0.5 + 2 * strength)}" stroke-opacity="${round(0.15 + 0.75 * strength)}"`;
    parts.push(`<path d="${curve}" fill="none" stroke="${colour}" ${stroke}/>`);
  }
  for (const [i, { text }] of rows.entries()) {
    parts.push(label(text, left - 5, (i + 0.5) * step, { size: 13, anchor: "end" }));
  }
  for (const [j, { text }] of columns.entries()) parts.push(label(text, right + 5, (j + 0.5) * step, { size: 13 }));
  return {
    body: parts.join("\n"),
    width: right + measureLongest(columns, 13) + 8,
    height: Math.max(rows.length, columns.length) * step,
  };
}

/** Draw the map of all heads. @param {Explorer} explorer @param {HeadMapValues} map @returns {Piece} */
function drawMap(explorer, map) {
  const { layers, heads } = explorer;
  const [size, step, left, top] = [14, 16, 34, 18];
  const values = explorer.cells === "values" ? map.values : null;
  const scale = new Scale("light", Boolean(values) && map.signed);
  const parts = [];
  for (const [place, index] of map.order.entries()) {
    const [x, y] = [left + (place % heads) * step, top + Math.floor(place / heads) * step];
    if (values) {
      const colour = Number.isFinite(values[index]) ? scale.css(explorer.shareOf(values[index])) : "#ffffff";
      parts.push(rect(x, y, size, size, colour));
    } else {
      parts.push(drawThumbnail(explorer, index, scale, x, y, size));
      parts.push(rect(x, y, size, size, "none", ` stroke="${grey("line")}" stroke-width="0.5"`));
    }
  }
  if (map.order.every((index, place) => index === place)) {
    const look = { size: 9, fill: grey("soft") };
    for (let i = 0; i < layers; i++) {
      parts.push(label(`L${i}`, left - 5, top + i * step + size / 2, { ...look, anchor: "end" }));
    }
    for (let i = 0; i < heads; i += heads > 10 ? 2 : 1) {
      parts.push(label(`H${i}`, left + i * step + size / 2, top - 8, { ...look, anchor: "middle" }));
    }
  }
  const height = top + layers * step;
  if (values) {
    const [low, high] = map.signed
      ? [formatNumber(-map.peak, true), formatNumber(map.peak, true)]
      : [formatNumber(map.least), formatNumber(map.most)];
    parts.push(legend(scale, [low, `${high} ${map.unit}`], left, height + 14));
  }
  return {
    body: parts.join("\n"),
    width: Math.max(left + heads * step, left + 290),
    height: height + (values ? 24 : 4),
  };
}

/**
 * Draw a thumbnail, as a path for each colour: a rectangle for each cell would be ten times as long.
 *
 * @param {Explorer} explorer
 * @param {number} index of the head
 * @param {Scale} scale
 * @param {number} x
 * @param {number} y
 * @param {number} size
 */
function drawThumbnail(explorer, index, scale, x, y, size) {
  const { side } = explorer.selected;
  const { thumbnail } = explorer.sides[side];
  const cells = explorer.thumbnails[side].subarray(index * thumbnail ** 2, (index + 1) * thumbnail ** 2);
  const peak = cells.reduce((most, value) => Math.max(most, value), 0);
  const edge = size / thumbnail;
  /** @type {Map<number, string>} */
  const paths = new Map();
  for (const [at, value] of cells.entries()) {
    const level = scale.level(value, peak) & ~15;
    if (!level) continue;
    const corner = `${round(x + (at % thumbnail) * edge)} ${round(y + Math.floor(at / thumbnail) * edge)}`;
    const square = `M${corner}h${round(edge)}v${round(edge)}h-${round(edge)}z`;
    paths.set(level, (paths.get(level) ?? "") + square);
  }
  const drawn = [...paths].map(([level, path]) => `<path d="${path}" fill="${scale.colours[level]}"/>`);
  return `<g>${drawn.join("")}</g>`;
}

/** Draw what switching off does on one side. @param {Ablation} found @returns {Piece} */
function drawAblation({ effects }) {
  const [step, bars, space] = [22, 180, 16];
  const names = effects.flatMap(({ outcomes }) => outcomes.map(({ text }) => text));
  const left = Math.max(60, ...names.map((name) => measure(name, 12))) + 10;
  const number = left + bars + 52; // where the first number ends
  const parts = [];
  let y = 0;
  for (const { title, position, kl, outcomes } of effects) {
    const place = position === null ? "" : ` at ${position}`;
    const divergence = kl === null ? "" : `, KL ${formatNumber(kl)} nats`;
    parts.push(label(`${title}${place}${divergence}`, 0, y + 8, { size: 12, weight: 600 }));
    for (const [column, name] of ["before", "after"].entries()) {
      parts.push(label(name, number + 52 * column, y + 8, { size: 11, anchor: "end", fill: grey("soft") }));
    }
    const most = Math.max(...outcomes.flatMap(({ before, after }) => [before, after]), 1e-9);
    for (const [i, { text, before, after }] of outcomes.entries()) {
      const top = y + 20 + i * step;
      parts.push(label(text, left - 8, top + 8, { anchor: "end" }));
      for (const [row, value] of [before, after].entries()) {
        const width = Math.max(0.5, (bars * value) / most);
        if (kl !== null) parts.push(rect(left, top + 2 + 7 * row, width, 5, palette.hue[row ? 6 : 3]));
        const written = kl === null ? formatNumber(value) : formatPercent(value);
        parts.push(label(written, number + 52 * row, top + 8, { size: 11, anchor: "end" }));
      }
    }
    y += 20 + outcomes.length * step + space;
  }
  return { body: parts.join("\n"), width: left + bars + 110, height: y };
}

/**
 * Draw what is to be seen, part by part.
 *
 * @param {Explorer} explorer
 * @param {What} what
 * @param {(LinesPane | MatrixPane)[]} panes those that are shown
 */
function drawPieces(explorer, what, panes) {
  if (what === "map") return explorer.map ? [drawMap(explorer, explorer.map)] : [];
  if (what === "off") return (explorer.ablation?.found ?? []).map(drawAblation);
  return (explorer.shown ?? []).map((shown, side) => {
    const pane = panes[side];
    return pane instanceof LinesPane ? drawLines(shown, pane.picked()) : drawMatrix(shown);
  });
}

/**
 * Return an SVG of the head view, of the map or of what switching off does, in the colours of paper.
 *
 * @param {Explorer} explorer
 * @param {What} what
 * @param {(LinesPane | MatrixPane)[]} panes those that are shown
 */
export function drawSvg(explorer, what, panes) {
  const pieces = drawPieces(explorer, what, panes);
  const about = describe(explorer, what);
  const shown = what === "map" ? [explorer.sides[explorer.selected.side]] : explorer.sides;
  const top = pieces.length > 1 ? 60 : 48;
  let x = MARGIN;
  const body = pieces.map((piece, side) => {
    const caption = pieces.length > 1 ? label(shown[side].text, x, 46, { size: 12, fill: grey("soft") }) : "";
    const group = `${caption}<g transform="translate(${round(x)} ${top})">${piece.body}</g>`;
    x += piece.width + APART;
    return group;
  });
  const sources = shown.map(({ source: { model, revision, precision } }) => {
    return `${model}${revision ? `@${revision}` : ""}, ${precision}`;
  });
  const foot = `${[...new Set(sources)].join("; ")}; ${describeSettings(explorer, what)}`;
  const width = Math.max(x - APART + MARGIN, measure(foot, 10) + 2 * MARGIN);
  const height = Math.max(...pieces.map((piece) => piece.height)) + top + 34;
  const size = `width="${round(width)}" height="${round(height)}" viewBox="0 0 ${round(width)} ${round(height)}"`;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" ${size} font-family="${FONTS}">`,
    `<title>${escapeXml(`${about.what}: ${about.sides[0].text}`)}</title>`,
    `<metadata>${escapeXml(JSON.stringify(about))}</metadata>`,
    rect(0, 0, width, height, "#ffffff"),
    label(about.what, MARGIN, 24, { size: 15, weight: 600 }),
    ...body,
    label(foot, MARGIN, height - 16, { size: 10, fill: grey("soft") }),
    "</svg>",
  ].join("\n");
}

/** Return an SVG as a PNG of twice its size. @param {string} text @returns {Promise<Blob>} */
export async function drawPng(text) {
  const url = URL.createObjectURL(new Blob([text], { type: "image/svg+xml" }));
  try {
    const image = new Image();
    image.src = url;
    await image.decode();
    const ratio = Math.min(2, PIXELS / Math.max(image.width, image.height));
    const canvas = document.createElement("canvas");
    canvas.width = Math.round(image.width * ratio);
    canvas.height = Math.round(image.height * ratio);
    getContext(canvas).drawImage(image, 0, 0, canvas.width, canvas.height);
    return await new Promise((resolve, reject) => {
      canvas.toBlob((blob) => (blob ? resolve(blob) : reject(new Error("The picture is too large."))), "image/png");
    });
  } finally {
    URL.revokeObjectURL(url);
  }
}
