// What a colour is, and which theme the page around has.

/** @import { Palette } from "./protocol" */

/** @typedef {"light" | "dark"} Theme */

/**
 * The colours that everything is drawn in, as `meta.palette` has them: Python declares them, in `xlmrxl/palette.py`.
 * @type {Palette}
 */
export const palette = {
  hue: [],
  grey: [],
  warning: { light: "", dark: "" },
  scales: { sequential: { light: [], dark: [] }, diverging: { light: [], dark: [] } },
};

/** Draw in the colours of `meta.palette` from now on. @param {Palette} colours */
export function usePalette(colours) {
  Object.assign(palette, colours);
}

const STEPS = [50, 100, 200, 300, 400, 500, 600, 700, 800, 900, 950];

/**
 * Return the steps of the palette as custom properties that the style sheet builds on: `[["--hue-50", "#…"], …]`.
 *
 * @returns {[name: string, colour: string][]}
 */
export function listProperties() {
  /** @param {string} name @param {string[]} colours @returns {[string, string][]} */
  const nameSteps = (name, colours) => colours.map((colour, i) => [`--${name}-${STEPS[i]}`, colour]);
  const { hue, grey, warning } = palette;
  return [
    ...nameSteps("hue", hue),
    ...nameSteps("grey", grey),
    ["--warning-light", warning.light],
    ["--warning-dark", warning.dark],
  ];
}

/** Return red, green and blue from 0 to 255. @param {string} hex such as "#112233" */
function parseColour(hex) {
  return [1, 3, 5].map((at) => Number.parseInt(hex.slice(at, at + 2), 16));
}

/** 256 colours between the stops of a scale of the palette. */
export class Scale {
  /** @param {Theme} theme @param {boolean} signed whether it is for differences, with 0 in the middle */
  constructor(theme, signed = false) {
    const stops = palette.scales[signed ? "diverging" : "sequential"][theme].map(parseColour);
    this.signed = signed;
    /** The colours as texts of CSS. @type {string[]} */
    this.colours = [];
    /** The same as pixels of image data. */
    this.pixels = new Uint32Array(256);
    for (let level = 0; level < 256; level++) {
      const place = (level / 255) * (stops.length - 1);
      const low = Math.min(Math.floor(place), stops.length - 2);
      const [r, g, b] = stops[low].map((c, i) => Math.round(c + (stops[low + 1][i] - c) * (place - low)));
      this.pixels[level] = (255 << 24) | (b << 16) | (g << 8) | r;
      this.colours.push(`rgb(${r},${g},${b})`);
    }
  }

  /**
   * Return the level, from 0 to 255, of a value on a square-root scale: what is small is seen, and 0 stays 0.
   *
   * @param {number} value
   * @param {number} peak the value that has the last level
   */
  level(value, peak) {
    const root = Math.sqrt(Math.min(1, Math.abs(value) / peak)) || 0;
    return Math.round(255 * (this.signed ? (1 + Math.sign(value) * root) / 2 : root));
  }

  /** Return the colour at a place from 0 to 1. @param {number} place */
  css(place) {
    return this.colours[Math.round(255 * Math.min(1, Math.max(0, place)))];
  }

  /** Return all of it as a gradient of CSS. */
  gradient() {
    return `linear-gradient(to right, ${[0, 1, 2, 3, 4, 5, 6, 7, 8].map((i) => this.css(i / 8)).join(", ")})`;
  }
}

/**
 * Return the theme of the page around an element, be it of Gradio, JupyterLab, VS Code, Colab, or the system.
 *
 * @param {Node} host
 * @returns {Theme}
 */
export function findTheme(host) {
  const root = document.documentElement;
  const body = document.body;
  let isGradio = false;
  for (let node = /** @type {Node | null} */ (host); node; ) {
    if (node instanceof Element) {
      const { classList } = node;
      if (classList.contains("dark") || classList.contains("vscode-dark")) return "dark";
      if (classList.contains("vscode-light")) return "light";
      if (classList.contains("vscode-high-contrast")) return "dark";
      isGradio ||= classList.contains("gradio-container");
    }
    node = node.parentNode ?? (node instanceof ShadowRoot ? node.host : null);
  }
  const jupyterTheme = body.dataset.jpThemeLight;
  if (jupyterTheme) return jupyterTheme === "true" ? "light" : "dark";
  for (const name of [root.getAttribute("theme"), root.dataset.theme, body.dataset.theme]) {
    if (name === "dark" || name === "light") return name;
  }
  return !isGradio && matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
}

/**
 * Call back when the theme may have changed.
 *
 * @param {() => void} onChange
 * @returns {() => void} what ends that
 */
export function watchTheme(onChange) {
  const attributes = new MutationObserver(onChange);
  for (const node of [document.documentElement, document.body]) {
    attributes.observe(node, {
      attributes: true,
      attributeFilter: ["class", "theme", "data-theme", "data-jp-theme-light"],
    });
  }
  const system = matchMedia("(prefers-color-scheme: dark)");
  system.addEventListener("change", onChange);
  return () => {
    attributes.disconnect();
    system.removeEventListener("change", onChange);
  };
}
