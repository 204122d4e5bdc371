// What a colour is, which theme the page around has, and the style sheet. The petrol is that of app/palette.py.

export const RAMP = [
  "#edf6f8", "#d6eaf0", "#b0d5e0", "#82bacb", "#519ab0", "#307d95",
  "#22667c", "#1b5265", "#163f4f", "#112f3c", "#0a1c25",
];
export const GREY = [
  "#f8f9f9", "#f0f2f2", "#e1e5e6", "#c9d0d2", "#9aa4a8", "#6a757a",
  "#4e585d", "#394247", "#242b2f", "#171c1f", "#0e1214",
];

// From nothing to most. Lightness goes one way, so that order survives a grey print and every kind of colour blindness.
const SEQUENTIAL = {
  light: ["#ffffff", RAMP[1], RAMP[2], RAMP[3], RAMP[4], RAMP[5], RAMP[6], RAMP[8], RAMP[10]],
  dark: [GREY[9], RAMP[9], RAMP[8], RAMP[7], RAMP[6], RAMP[5], RAMP[4], RAMP[3], RAMP[1]],
};
// From less through equal to more: orange and petrol are told apart by everyone.
const DIVERGING = {
  light: ["#8a4700", "#c46a0a", "#eda955", "#f9dcb8", "#ffffff", RAMP[2], RAMP[4], RAMP[6], RAMP[8]],
  dark: ["#ffd9ad", "#f0a04b", "#b56a1c", "#5f3a14", GREY[9], RAMP[8], RAMP[6], RAMP[4], RAMP[1]],
};

const parts = (hex) => [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));

/** 256 colours of a theme: `css(t)` and, for image data, `pixels[level]`; t from 0 to 1. */
export class Scale {
  constructor(theme, signed = false) {
    const stops = (signed ? DIVERGING : SEQUENTIAL)[theme].map(parts);
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
