// @ts-nocheck: not typed yet
// What the widgets are made of, beside the explorer's colours.js and dom.js. Whatever a person or a model wrote becomes
// text nodes, never HTML.

import { findTheme, watchTheme } from "../../xlmrxl/views/colours.js";
import { element } from "../../xlmrxl/views/dom.js";

export const MASK = "<mask>";
export const COMMAS = /[,，،、\n]/;
const AXES = [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1]; // where a scale of probabilities may end

export function axisEnd(probabilities) {
  const best = Math.max(...probabilities, 0);
  return AXES.find((end) => end >= best) || 1;
}

export function ticks(axis) {
  const marks = [0, 0.5, 1].map((part) => element("span", {}, `${Number((100 * axis * part).toPrecision(3))}%`));
  return element("th", { class: "x-axis", "aria-hidden": "true" }, element("div", {}, ...marks));
}

export function bar(probability, axis, name = null) {
  const length = element("div", { class: name });
  length.style.width = `${Math.min(100, (100 * probability) / axis).toFixed(2)}%`;
  return length;
}

/** A language by the name that its speakers give it. */
export function languageName(code) {
  try {
    return new Intl.DisplayNames([code], { type: "language" }).of(code) || code;
  } catch {
    return code;
  }
}

export function heading(text, ...facts) {
  return element("h4", {}, text, ...facts.map((fact) => element("span", {}, fact)));
}

export function unseen(text, settings = {}) {
  return element("span", { class: "x-unseen", ...settings }, text);
}

/** An id that no other widget on the page has: each has a copy of this module. */
const prefix = `xlmrxl-${Math.random().toString(36).slice(2)}`;
let numbers = 0;
const uniqueId = () => `${prefix}-${++numbers}`;

/** A control under its label. */
export function field(label, control, className = "") {
  control.id ||= uniqueId();
  return element("div", { class: `x-field ${className}` }, element("label", { for: control.id }, label), control);
}

/** A text box that grows with its text; Enter asks, Shift and Enter begin a line. */
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
  box.grow = grow;
  return box;
}

export function options(select, pairs, chosen) {
  select.replaceChildren(
    ...pairs.map(([value, name]) => element("option", { value, selected: value === chosen }, name)),
  );
}

/** Radio buttons in a row: `names` from values to labels. */
export function choice(legend, names, changed) {
  const group = uniqueId();
  const buttons = Object.entries(names).map(([value, name]) =>
    element("label", {}, element("input", { type: "radio", name: group, value, change: () => changed(value) }), name),
  );
  const node = element("fieldset", { class: "x-choice-of" }, element("legend", {}, legend), ...buttons);
  node.pick = (value) => {
    for (const button of node.querySelectorAll("input")) button.checked = button.value === value;
  };
  node.picked = () => node.querySelector("input:checked")?.value;
  return node;
}

/** Arrow keys move inside a group of buttons, so that Tab passes it in one step. */
export function roving(group) {
  const all = () => [...group.querySelectorAll("button")];
  const reach = (chosen) =>
    all().forEach((button) => {
      button.tabIndex = button === chosen ? 0 : -1;
    });
  reach(all()[0]);
  group.addEventListener("focusin", (event) => reach(event.target));
  group.addEventListener("keydown", (event) => {
    const buttons = all();
    const here = buttons.indexOf(group.getRootNode().activeElement);
    const leftwards = getComputedStyle(group).direction === "rtl";
    const there = {
      [leftwards ? "ArrowLeft" : "ArrowRight"]: here + 1,
      ArrowDown: here + 1,
      [leftwards ? "ArrowRight" : "ArrowLeft"]: here - 1,
      ArrowUp: here - 1,
      Home: 0,
      End: buttons.length - 1,
    }[event.key];
    if (here < 0 || there === undefined || !buttons[there]) return;
    event.preventDefault();
    buttons[there].focus();
  });
  return group;
}

/** JupyterLab takes keys for those of the notebook unless the very element that has the focus says no. */
export function keepKeys(root) {
  root.addEventListener("focusin", ({ target }) => target.setAttribute("data-lm-suppress-shortcuts", "true"));
}

/** Keep the colours of `root` in accord with the page around `el`; returns what ends it. */
export function showTheme(root, el) {
  const look = () => {
    root.dataset.theme = findTheme(el);
  };
  look();
  requestAnimationFrame(look); // once it is on the page, there may be more around it
  return watchTheme(look);
}

/**
 * A widget: a form, the state of its question, and the answer below.
 *
 * `build(ask)` returns `form` and `buttons`, their nodes; `verb` and `doing`, what the button says before and while it is
 * done; `hint`, before there is an answer; `question()`, the traits that the form sets; `fill()`, which puts them into the
 * form; `answer(found)`, the nodes of an answer; `extra`, names of more traits that change it; `also`, what else is done
 * when traits change; `end()`, the clean-up.
 */
export function widget({ model, el }, build) {
  const root = element("section", { class: "xlmrxl" });
  keepKeys(root);
  const stopTheme = showTheme(root, el);

  function ask(changes = {}) {
    for (const [name, value] of Object.entries({ ...parts.question(), ...changes })) model.set(name, value);
    model.set("asked", model.get("asked") + 1);
    model.save_changes();
    status();
  }

  const parts = build(ask);
  const button = element("button", { type: "button", class: "x-primary", click: () => ask() }, parts.verb);
  const line = element("p", { class: "x-status", role: "status" });
  const meter = element("progress", { "aria-label": parts.doing, hidden: true });
  const problem = element("p", { class: "x-problem", role: "alert" });
  const output = element("div", { class: "x-output" });
  root.append(
    element(
      "form",
      { class: "x-form", submit: (event) => event.preventDefault() },
      ...parts.form,
      element("div", { class: "x-buttons" }, button, ...(parts.buttons || []), meter, line),
    ),
    problem,
    output,
  );

  /** What is going on: the page has asked and has no answer yet, or Python has set a trait and the model is at work. */
  function status() {
    const busy = model.get("working") || model.get("asked") !== model.get("answered");
    const [done, total] = model.get("progress") || [];
    root.setAttribute("aria-busy", String(busy));
    button.textContent = busy ? `${parts.doing}…` : parts.verb;
    meter.hidden = !(busy && total);
    if (total) Object.assign(meter, { max: total, value: done });
    line.textContent = busy ? (total ? `${done.toLocaleString()} of ${total.toLocaleString()}` : "") : "";
    problem.textContent = busy ? "" : model.get("error");
    problem.hidden = !problem.textContent;
  }

  function draw() {
    const found = model.get("found");
    const empty = !found || !Object.keys(found).length;
    const hint = model.get("error") ? [] : [element("p", { class: "x-hint" }, parts.hint)];
    const nodes = empty ? hint : parts.answer(found);
    const there = [...output.childNodes];
    // What stays is not put there again: it would lose where it is scrolled to.
    if (nodes.length === there.length && nodes.every((node, place) => node === there[place])) return;
    const before = [...output.querySelectorAll("button")];
    const focused = before.indexOf(root.getRootNode().activeElement);
    output.replaceChildren(...nodes);
    const after = output.querySelectorAll("button");
    if (focused >= 0 && after.length) after[Math.min(focused, after.length - 1)].focus({ preventScroll: true });
  }

  // Several traits change at once: the page is drawn once for all of them.
  let due = false;
  const watched = [];
  function watch(names, action) {
    for (const name of names) {
      model.on(`change:${name}`, action);
      watched.push([name, action]);
    }
  }
  function soon() {
    if (due) return;
    due = true;
    queueMicrotask(() => {
      due = false;
      draw();
      status();
    });
  }
  watch(Object.keys(parts.question()), parts.fill);
  watch(["found", "error", ...(parts.extra || [])], soon);
  for (const [name, action] of Object.entries(parts.also || {})) watch([name], action);
  watch(["working", "progress", "asked", "answered"], status);
  parts.fill();
  draw();
  status();
  el.append(root);
  return () => {
    stopTheme();
    parts.end?.();
    for (const [name, action] of watched) model.off(`change:${name}`, action);
  };
}
