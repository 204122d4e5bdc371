// @ts-nocheck: not typed yet
// Elements, canvases and the few controls that the explorer is made of. Texts become text nodes, never HTML.

/** An element with attributes; functions are listeners, and what is false or missing is left out. */
export function element(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") node.addEventListener(name, value);
    else if (value !== null && value !== undefined && value !== false)
      node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.filter((child) => child !== null && child !== undefined && child !== false && child !== ""));
  return node;
}

/** A text of the model or of a person, in its own direction wherever it stands. */
export function own(text, attributes = {}) {
  return element("bdi", { dir: "auto", lang: languageOf(text), ...attributes }, text);
}

/** Han letters have other forms in Japanese and Korean. */
function languageOf(text) {
  if (/[\u3040-\u30ff]/.test(text)) return "ja";
  if (/[\uac00-\ud7af]/.test(text)) return "ko";
  return /[\u4e00-\u9fff]/.test(text) ? "zh" : null;
}

export const isRightToLeft = (text) => /^[^\p{L}]*[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc]/u.test(text);

/** A canvas that only looks; what can be reached in it is said beside it. */
export function canvasOf(name) {
  return element("canvas", { class: name, "aria-hidden": "true" });
}

/** A cleared context of a canvas of so many CSS pixels, sharp on any screen. */
export function sized(canvas, width, height) {
  const ratio = window.devicePixelRatio || 1;
  const [wide, high] = [Math.round(width * ratio), Math.round(height * ratio)];
  if (canvas.width !== wide || canvas.height !== high) {
    canvas.width = wide;
    canvas.height = high;
    canvas.style.width = `${width}px`;
    canvas.style.height = `${height}px`;
  }
  const context = canvas.getContext("2d");
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, width, height);
  return context;
}

let names = 0;
const unique = () => `x-control-${++names}`;

/** Radio buttons in a row that look like one switch. `options`: [[value, label], …]. */
export function segmented(legend, options, changed) {
  const name = unique();
  const inputs = options.map(([value]) =>
    element("input", { type: "radio", name, value, change: () => changed(value) }),
  );
  const labels = options.map(([, label], i) => element("label", {}, inputs[i], element("span", {}, label)));
  const node = element(
    "fieldset",
    { class: "x-segmented" },
    element("legend", { class: "x-unseen" }, legend),
    ...labels,
  );
  node.pick = (value) => {
    for (const input of inputs) input.checked = input.value === value;
  };
  return node;
}

export function checkbox(label, changed) {
  const input = element("input", { type: "checkbox", change: () => changed(input.checked) });
  const node = element("label", { class: "x-check" }, input, label);
  node.pick = (value) => (input.checked = value);
  node.input = input;
  return node;
}

/** A labelled list to choose from. `options`: [[value, label], …], and true behind a label that is no text of the interface. */
export function dropdown(label, options, changed) {
  const select = element("select", { change: () => changed(select.value) });
  const node = element("label", { class: "x-field" }, element("span", {}, label), select);
  node.offer = (list) => {
    const now = select.value;
    select.replaceChildren(
      ...list.map(([value, text, own]) =>
        element("option", { value, translate: own && "no", dir: own && "auto" }, text),
      ),
    );
    select.value = now;
  };
  node.offer(options);
  node.pick = (value) => (select.value = value);
  node.select = select;
  return node;
}

export function button(label, pressed, attributes = {}) {
  return element("button", { type: "button", click: pressed, ...attributes }, label);
}

/** Give a file to the person in front of the page. */
export function download(name, content, type) {
  const url = URL.createObjectURL(content instanceof Blob ? content : new Blob([content], { type }));
  const link = element("a", { href: url, download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}
