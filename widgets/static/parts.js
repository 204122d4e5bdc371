// @ts-nocheck: not typed yet
// What the widgets are made of, beside the explorer's colours.js and dom.js: the form, and the answer below it, which
// Python has rendered.

import { attachInteraction } from "../../xlmrxl/rendering/interaction.js";
import { findTheme, watchTheme } from "../../xlmrxl/views/colours.js";
import { element } from "../../xlmrxl/views/dom.js";

export const MASK = "<mask>";
export const COMMAS = /[,，،、\n]/;

/** A language by the name that its speakers give it. */
export function languageName(code) {
  try {
    return new Intl.DisplayNames([code], { type: "language" }).of(code) || code;
  } catch {
    return code;
  }
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

/** Return the nodes of HTML that Python has rendered; no script in it runs. @param {string} html */
const parseHtml = (html) => [...new DOMParser().parseFromString(html, "text/html").body.childNodes];

/**
 * A widget: a form, the state of its question, and the answer below.
 *
 * `build(ask)` returns `form` and `buttons`, their nodes; `verb` and `doing`, what the button says before and while it is
 * done; `hint`, before there is an answer; `question()`, the traits that the form sets; `fill()`, which puts them into the
 * form; `also`, what else is done when traits change; `end()`, the clean-up.
 *
 * The answer is the trait `html`, a rendered result: `onAsk(asked)` is told what it is clicked for, and `onSelect(mask,
 * rank)` and `drawn(output)` are told of a fill that is put into the sentence, and of a new result. Or it is what the
 * trait `found` says: `answer(found)`, its nodes, and `extra`, names of more traits that change it.
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
    const found = model.get(parts.answer ? "found" : "html");
    const empty = !found || !Object.keys(found).length;
    const hint = model.get("error") ? [] : [element("p", { class: "x-hint" }, parts.hint)];
    const nodes = empty ? hint : parts.answer ? parts.answer(found) : parseHtml(found);
    const there = [...output.childNodes];
    // What stays is not put there again: it would lose where it is scrolled to.
    if (nodes.length === there.length && nodes.every((node, place) => node === there[place])) return;
    const before = [...output.querySelectorAll("button")];
    const focused = before.indexOf(root.getRootNode().activeElement);
    output.replaceChildren(...nodes);
    parts.drawn?.(output);
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
  if (!parts.answer) attachInteraction(output, parts.onAsk ?? (() => {}), parts.onSelect);
  watch(["found", "html", "error", ...(parts.extra || [])], soon);
  for (const [name, action] of Object.entries(parts.also || {})) watch([name], () => action(output));
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
