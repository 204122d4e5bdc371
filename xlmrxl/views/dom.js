// Elements, canvases and the few controls that the explorer is made of. Texts become text nodes, never HTML.

/** @import { Attributes, Child } from "./attributes" */

/**
 * Make an element with attributes; functions are listeners, and what is false or missing is left out.
 *
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {Attributes} attributes
 * @param {Child[]} children
 */
export function element(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") node.addEventListener(name, /** @type {EventListener} */ (value));
    else if (value !== null && value !== undefined && value !== false) {
      node.setAttribute(name, value === true ? "" : String(value));
    }
  }
  for (const child of children) {
    if (child !== null && child !== undefined && child !== false && child !== "") {
      node.append(typeof child === "number" ? String(child) : child);
    }
  }
  return node;
}

/**
 * Make an element for a text of the model or of a person, which has its own direction wherever it stands.
 *
 * @param {string} text
 * @param {Attributes} attributes
 */
export function own(text, attributes = {}) {
  return element("bdi", { dir: "auto", lang: findLanguage(text), ...attributes }, text);
}

/** Return the language of a text in Han letters, which have other forms in Japanese and Korean. @param {string} text */
export function findLanguage(text) {
  if (/[\u3040-\u30ff]/.test(text)) return "ja";
  if (/[\uac00-\ud7af]/.test(text)) return "ko";
  return /[\u4e00-\u9fff]/.test(text) ? "zh" : null;
}

/** Return whether the first letter of a text is of a script that goes from right to left. @param {string} text */
export function isRightToLeft(text) {
  return /^[^\p{L}]*[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc]/u.test(text);
}

/** Make a canvas that is only looked at; what can be reached in it is said beside it. @param {string} name its class */
export function makeCanvas(name) {
  return element("canvas", { class: name, "aria-hidden": "true" });
}

/** Return the context of a canvas. @param {HTMLCanvasElement} canvas */
export function getContext(canvas) {
  return /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
}

/**
 * Return a cleared context of a canvas of so many CSS pixels, sharp on any screen.
 *
 * @param {HTMLCanvasElement} canvas
 * @param {number} width
 * @param {number} height
 */
export function resizeCanvas(canvas, width, height) {
  const ratio = window.devicePixelRatio || 1;
  const [wide, high] = [Math.round(width * ratio), Math.round(height * ratio)];
  if (canvas.width !== wide || canvas.height !== high) {
    canvas.width = wide;
    canvas.height = high;
    canvas.style.width = `${width}px`;
    canvas.style.height = `${height}px`;
  }
  const context = getContext(canvas);
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, width, height);
  return context;
}

let names = 0;
const makeName = () => `x-control-${++names}`;

/**
 * Make radio buttons in a row that look like one switch.
 *
 * @template {string} Value
 * @param {string} legend
 * @param {Record<Value, string>} options labels by their values
 * @param {(value: Value) => void} onChange
 */
export function segmented(legend, options, onChange) {
  const name = makeName();
  const values = /** @type {Value[]} */ (Object.keys(options));
  const inputs = values.map((value) => element("input", { type: "radio", name, value, change: () => onChange(value) }));
  const labels = values.map((value, i) => element("label", {}, inputs[i], element("span", {}, options[value])));
  const node = element(
    "fieldset",
    { class: "x-segmented" },
    element("legend", { class: "x-unseen" }, legend),
    ...labels,
  );
  return Object.assign(node, {
    /** @param {Value} value */
    pick(value) {
      for (const input of inputs) input.checked = input.value === value;
    },
  });
}

/** Make a labelled check box. @param {string} label @param {(value: boolean) => void} onChange */
export function checkbox(label, onChange) {
  const input = element("input", { type: "checkbox", change: () => onChange(input.checked) });
  return Object.assign(element("label", { class: "x-check" }, input, label), {
    input,
    /** @param {boolean} value */
    pick(value) {
      input.checked = value;
    },
  });
}

/**
 * An entry of a list, true where the label is no text of the interface.
 * @template {string} Value
 * @typedef {[value: Value, label: string, isOwn?: boolean]} Option
 */

/**
 * Make a labelled list to choose from.
 *
 * @template {string} Value
 * @param {string} label
 * @param {Option<Value>[]} options
 * @param {(value: Value) => void} onChange
 */
export function dropdown(label, options, onChange) {
  const select = element("select", { change: () => onChange(/** @type {Value} */ (select.value)) });
  const node = Object.assign(element("label", { class: "x-field" }, element("span", {}, label), select), {
    select,
    /** Offer other options; what is chosen stays. @param {Option<Value>[]} list */
    offer(list) {
      const { value: chosen } = select;
      select.replaceChildren(
        ...list.map(([value, text, isOwn]) =>
          element("option", { value, translate: isOwn && "no", dir: isOwn && "auto" }, text),
        ),
      );
      select.value = chosen;
    },
    /** @param {Value} value */
    pick(value) {
      select.value = value;
    },
  });
  node.offer(options);
  return node;
}

/** Make a button. @param {string} label @param {(event: MouseEvent) => void} onClick @param {Attributes} attributes */
export function button(label, onClick, attributes = {}) {
  return element("button", { type: "button", click: onClick, ...attributes }, label);
}

/** Give a file to the person in front of the page. @param {string} name @param {BlobPart} content @param {string} [type] */
export function download(name, content, type) {
  const url = URL.createObjectURL(content instanceof Blob ? content : new Blob([content], { type }));
  const link = element("a", { href: url, download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}
