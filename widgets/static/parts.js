// What the widgets are made of, beside the explorer's colours.js and dom.js: the form, and the answer below it, which
// Python has rendered.

import { attachInteraction } from "../../xlmrxl/rendering/interaction.js";
import { findTheme, watchTheme } from "../../xlmrxl/views/colours.js";
import { element } from "../../xlmrxl/views/dom.js";

export const MASK = "<mask>";
export const COMMAS = /[,，،、\n]/;

/** @import { Attributes } from "../../xlmrxl/views/attributes" */
/** @import { Asked } from "../../xlmrxl/rendering/interaction.js" */
/** @import { Mounted, ResultTraits, TaskTraits, WidgetModel } from "./traits" */

/** A text box that grows with its text. @typedef {HTMLTextAreaElement & { grow(): void }} TextBox */

/** Return a language by the name that its speakers give it. @param {string} code */
export function languageName(code) {
  try {
    return new Intl.DisplayNames([code], { type: "language" }).of(code) || code;
  } catch {
    return code;
  }
}

// No other widget on the page has the same ids: each has a copy of this module.
const prefix = `xlmrxl-${Math.random().toString(36).slice(2)}`;
let numbers = 0;
const makeId = () => `${prefix}-${++numbers}`;

/**
 * Put a control under its label.
 *
 * @param {string} label
 * @param {HTMLElement} control
 * @param {string} className
 */
export function field(label, control, className = "") {
  control.id ||= makeId();
  return element("div", { class: `x-field ${className}` }, element("label", { for: control.id }, label), control);
}

/**
 * Make a text box; Enter asks, Shift and Enter begin a line.
 *
 * @param {() => void} ask
 * @param {Attributes} settings
 * @returns {TextBox}
 */
export function textBox(ask, settings = {}) {
  const box = element("textarea", { rows: 1, dir: "auto", spellcheck: "false", ...settings });
  const grow = () => {
    box.style.height = "auto";
    if (box.scrollHeight) box.style.height = `${box.scrollHeight + 2}px`;
  };
  box.addEventListener("input", grow);
  new ResizeObserver(grow).observe(box); // it has no height before it is on the page
  box.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    ask();
  });
  return Object.assign(box, { grow });
}

/**
 * Offer options in a list.
 *
 * @param {HTMLSelectElement} select
 * @param {[value: string, name: string][]} pairs
 * @param {string} chosen
 */
export function options(select, pairs, chosen) {
  select.replaceChildren(
    ...pairs.map(([value, name]) => element("option", { value, selected: value === chosen }, name)),
  );
}

/**
 * Make radio buttons in a row.
 *
 * @param {string} legend
 * @param {Record<string, string>} names labels by their values
 * @param {() => void} onChange
 */
export function choice(legend, names, onChange) {
  const group = makeId();
  const buttons = Object.entries(names).map(([value, name]) =>
    element("label", {}, element("input", { type: "radio", name: group, value, change: onChange }), name),
  );
  const node = element("fieldset", { class: "x-choice-of" }, element("legend", {}, legend), ...buttons);
  const inputs = [...node.querySelectorAll("input")];
  return Object.assign(node, {
    /** @param {string} value */
    pick(value) {
      for (const input of inputs) input.checked = input.value === value;
    },
    picked: () => inputs.find((input) => input.checked)?.value,
  });
}

/** Return the texts between separators, without empty ones. @param {string} text @param {RegExp | string} separator */
export function splitTexts(text, separator) {
  const parts = text.split(separator).map((part) => part.trim());
  return parts.filter((part) => part);
}

/** Return the element that has the focus, where a node is. @param {Node} node */
export function findFocused(node) {
  return /** @type {Document | ShadowRoot} */ (node.getRootNode()).activeElement;
}

/** Keep keys from JupyterLab, which takes them unless the very element that has the focus says no. @param {HTMLElement} root */
export function keepKeys(root) {
  root.addEventListener("focusin", ({ target }) => {
    if (target instanceof Element) target.setAttribute("data-lm-suppress-shortcuts", "true");
  });
}

/** Keep the colours of `root` in accord with the page around `el`; returns what ends it. @param {HTMLElement} root @param {HTMLElement} el */
export function showTheme(root, el) {
  const update = () => {
    root.dataset.theme = findTheme(el);
  };
  update();
  requestAnimationFrame(update); // once it is on the page, there may be more around it
  return watchTheme(update);
}

/** Return the nodes of HTML that Python has rendered; no script in it runs. @param {string} html */
const parseHtml = (html) => [...new DOMParser().parseFromString(html, "text/html").body.childNodes];

/**
 * What a widget is made of: its form, and either the rendered result of the trait `html` or what the trait `found` says.
 *
 * @template {TaskTraits} Traits
 * @typedef {object} Parts
 * @property {string} verb what the button says
 * @property {string} doing what it says while the model is at work
 * @property {string} hint what is said before there is an answer
 * @property {(Node | null)[]} form
 * @property {Node[]} [buttons]
 * @property {() => Partial<Traits>} question the traits that the form sets
 * @property {() => void} fill puts these into the form
 * @property {{ [Name in keyof Traits]?: (output: HTMLElement) => void }} [also] what else is done when traits change
 * @property {() => void} [end] the clean-up
 * @property {(asked: Asked) => void} [onAsk] is told what a result is clicked for
 * @property {(mask: number, rank: number) => void} [onSelect] is told of a fill that is put into the sentence
 * @property {(output: HTMLElement) => void} [drawn] is told of a new result
 * @property {() => Node[] | null} [answer] returns the nodes of the trait `found`, null where it has nothing
 * @property {(keyof Traits)[]} [extra] more traits that change these
 */

/**
 * Mount a widget: a form, the state of its question, and the answer below.
 *
 * @template {TaskTraits} Traits
 * @param {Mounted<Traits>} mounted
 * @param {(ask: (changes?: Partial<Traits>) => void) => Parts<Traits>} build
 * @returns {() => void} the clean-up
 */
export function widget({ model, el }, build) {
  const root = element("section", { class: "xlmrxl" });
  keepKeys(root);
  const stopTheme = showTheme(root, el);
  // What is the same for every task.
  const task = /** @type {WidgetModel<ResultTraits>} */ (/** @type {unknown} */ (model));

  /** Ask what the form says, with some traits changed. @param {Partial<Traits>} changes */
  function ask(changes = {}) {
    const question = /** @type {Partial<Traits>} */ ({ ...parts.question(), ...changes });
    for (const name of /** @type {(keyof Traits)[]} */ (Object.keys(question))) {
      model.set(name, /** @type {Traits[keyof Traits]} */ (question[name]));
    }
    task.set("asked", task.get("asked") + 1);
    model.save_changes();
    showStatus();
  }

  const parts = build(ask);
  const button = element("button", { type: "button", class: "x-primary", click: () => ask() }, parts.verb);
  const line = element("p", { class: "x-status", role: "status" });
  const meter = element("progress", { "aria-label": parts.doing, hidden: true });
  const problem = element("p", { class: "x-problem", role: "alert" });
  const output = element("div", { class: "x-output" });
  const buttons = element("div", { class: "x-buttons" }, button, ...(parts.buttons ?? []), meter, line);
  const form = element("form", { class: "x-form", submit: (event) => event.preventDefault() }, ...parts.form, buttons);
  root.append(form, problem, output);

  /** Say what is going on: the page has asked and has no answer yet, or Python has set a trait and the model is at work. */
  function showStatus() {
    const isBusy = task.get("working") || task.get("asked") !== task.get("answered");
    const [done, total] = task.get("progress") ?? [];
    root.setAttribute("aria-busy", String(isBusy));
    button.textContent = isBusy ? `${parts.doing}…` : parts.verb;
    meter.hidden = !(isBusy && total);
    if (total) Object.assign(meter, { max: total, value: done });
    line.textContent = isBusy && total ? `${done.toLocaleString()} of ${total.toLocaleString()}` : "";
    problem.textContent = isBusy ? "" : task.get("error");
    problem.hidden = !problem.textContent;
  }

  /** Return the nodes of the answer, or null where there is none. */
  function makeAnswer() {
    if (parts.answer) return parts.answer();
    const html = task.get("html");
    return html ? parseHtml(html) : null;
  }

  function draw() {
    const hint = task.get("error") ? [] : [element("p", { class: "x-hint" }, parts.hint)];
    const nodes = makeAnswer() ?? hint;
    const before = [...output.childNodes];
    // What stays is not put there again: it would lose where it is scrolled to.
    if (nodes.length === before.length && nodes.every((node, place) => node === before[place])) return;
    const focused = [...output.querySelectorAll("button")].indexOf(
      /** @type {HTMLButtonElement} */ (findFocused(root)),
    );
    output.replaceChildren(...nodes);
    parts.drawn?.(output);
    const after = output.querySelectorAll("button");
    if (focused >= 0 && after.length) after[Math.min(focused, after.length - 1)].focus({ preventScroll: true });
  }

  // Several traits change at once: the page is drawn once for all of them.
  let isDue = false;
  function drawSoon() {
    if (isDue) return;
    isDue = true;
    queueMicrotask(() => {
      isDue = false;
      draw();
      showStatus();
    });
  }

  /** @type {(() => void)[]} */
  const ends = [];
  /** @param {string[]} names @param {() => void} onChange */
  function watch(names, onChange) {
    for (const name of names) {
      const event = /** @type {"change:error"} */ (`change:${name}`);
      task.on(event, onChange);
      ends.push(() => task.off(event, onChange));
    }
  }
  watch(Object.keys(parts.question()), parts.fill);
  if (!parts.answer) attachInteraction(output, parts.onAsk ?? (() => {}), parts.onSelect);
  watch(["found", "html", "error", .../** @type {string[]} */ (parts.extra ?? [])], drawSoon);
  for (const [name, onChange] of Object.entries(parts.also ?? {})) watch([name], () => onChange(output));
  watch(["working", "progress", "asked", "answered"], showStatus);
  parts.fill();
  draw();
  showStatus();
  el.append(root);
  return () => {
    stopTheme();
    parts.end?.();
    for (const end of ends) end();
  };
}
