// What a colour is, and which theme the page around has.

/**
 * The colours that everything is drawn in, as `meta.palette` has them: Python declares them, in `xlmrxl/palette.py`.
 * `hue` and `grey` have eleven steps from light to dark; `scales` are "sequential" and "diverging", each for a light and
 * a dark page.
 */
export const palette = { hue: [], grey: [], warning: {}, scales: {} };

/** Draw in the colours of `meta.palette` from now on. */
export function usePalette(colours) {
  Object.assign(palette, colours);
}

const STEPS = [50, 100, 200, 300, 400, 500, 600, 700, 800, 900, 950];

/** The steps of the palette as custom properties that the style sheet builds on: `[["--hue-50", "#…"], …]`. */
export function paletteProperties() {
  const steps = (name, colours) => colours.map((colour, i) => [`--${name}-${STEPS[i]}`, colour]);
  const warnings = Object.entries(palette.warning).map(([theme, colour]) => [`--warning-${theme}`, colour]);
  return [...steps("hue", palette.hue), ...steps("grey", palette.grey), ...warnings];
}

const parts = (hex) => [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));

/** 256 colours of a theme: `css(t)` and, for image data, `pixels[level]`; t from 0 to 1. */
export class Scale {
  constructor(theme, signed = false) {
    const stops = palette.scales[signed ? "diverging" : "sequential"][theme].map(parts);
    this.pixels = new Uint32Array(256);
    this.signed = signed;
    this.colours = [];
    for (let level = 0; level < 256; level++) {
      const place = (level / 255) * (stops.length - 1);
      const low = Math.min(Math.floor(place), stops.length - 2);
      const [r, g, b] = stops[low].map((c, i) => Math.round(c + (stops[low + 1][i] - c) * (place - low)));
      this.pixels[level] = (255 << 24) | (b << 16) | (g << 8) | r;
      this.colours.push(`rgb(${r},${g},${b})`);
    }
  }

  /** The level of a value on a square-root scale: what is small is seen, and 0 stays 0. */
  level(value, peak) {
    const root = Math.sqrt(Math.min(1, Math.abs(value) / peak)) || 0;
    return Math.round(255 * (this.signed ? (1 + Math.sign(value) * root) / 2 : root));
  }

  css(t) {
    return this.colours[Math.round(255 * Math.min(1, Math.max(0, t)))];
  }

  gradient() {
    return `linear-gradient(to right, ${[0, 1, 2, 3, 4, 5, 6, 7, 8].map((i) => this.css(i / 8)).join(", ")})`;
  }
}

/** "light" or "dark", as the page around the explorer is: Gradio, JupyterLab, VS Code, Colab, or the system. */
export function themeOf(host) {
  const root = document.documentElement;
  const body = document.body;
  let gradio = false;
  for (let node = host; node; node = node.parentNode || node.host) {
    if (node.classList?.contains("dark") || node.classList?.contains("vscode-dark")) return "dark";
    if (node.classList?.contains("vscode-light")) return "light";
    if (node.classList?.contains("vscode-high-contrast")) return "dark";
    gradio ||= node.classList?.contains("gradio-container");
  }
  const said = body.dataset.jpThemeLight;
  if (said) return said === "true" ? "light" : "dark";
  for (const name of [root.getAttribute("theme"), root.dataset.theme, body.dataset.theme]) {
    if (name === "dark" || name === "light") return name;
  }
  return !gradio && matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
}

/** Calls back when the theme may have changed; returns what ends that. */
export function watchTheme(changed) {
  const attributes = new MutationObserver(changed);
  for (const node of [document.documentElement, document.body]) {
    attributes.observe(node, { attributes: true, attributeFilter: ["class", "theme", "data-theme", "data-jp-theme-light"] });
  }
  const system = matchMedia("(prefers-color-scheme: dark)");
  system.addEventListener("change", changed);
  return () => {
    attributes.disconnect();
    system.removeEventListener("change", changed);
  };
}
