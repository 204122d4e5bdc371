// What the widgets of the tasks are made of. Python puts this in front of each widget's own file: a widget's module
// cannot import another. Whatever a person or a model wrote becomes text nodes, never HTML.

const MINUS = "−";
const MASK = "<mask>";
const AXES = [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1]; // where a scale of probabilities may end

/** An element. `settings` holds properties (`className`), attributes with a dash or in `ATTRIBUTES`, and `onclick` …. */
const ATTRIBUTES = new Set(["role", "for", "scope", "dir", "lang", "list"]);
function h(tag, settings = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(settings)) {
    if (value === null || value === undefined) continue;
    if (name.includes("-") || ATTRIBUTES.has(name)) node.setAttribute(name, value);
    else node[name] = value;
  }
  node.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return node;
}

/** A probability as it is printed everywhere: one decimal, never a false zero. */
function percent(probability) {
  return probability > 0 && probability < 0.0005 ? "<0.1%" : `${(100 * probability).toFixed(1)}%`;
}

/** A number with a real minus sign, and a plus where the sign is the point. */
function signed(value, digits, plus = false) {
  const text = Math.abs(value).toFixed(digits);
  if (!Number(text)) return text;
  return `${value < 0 ? MINUS : plus ? "+" : ""}${text}`;
}

function axisEnd(probabilities) {
  const best = Math.max(...probabilities, 0);
  return AXES.find((end) => end >= best) || 1;
}

function ticks(axis) {
  const marks = [0, 0.5, 1].map((part) => h("span", {}, `${Number((100 * axis * part).toPrecision(3))}%`));
  return h("th", { className: "x-axis", "aria-hidden": "true" }, h("div", {}, marks));
}

function bar(probability, axis, className = "") {
  const length = h("div", { className });
  length.style.width = `${Math.min(100, (100 * probability) / axis).toFixed(2)}%`;
  return length;
}

/** Text in its own direction; Japanese, Korean and Chinese want their own forms of Han letters. */
function own(tag, text, settings = {}) {
  const lang = /[\u3040-\u30ff]/.test(text) ? "ja" : /[\uac00-\ud7af]/.test(text) ? "ko"
    : /[\u4e00-\u9fff]/.test(text) ? "zh" : null;
  return h(tag, { dir: "auto", lang, ...settings }, text);
}

/** A language by the name that its speakers give it. */
function languageName(code) {
  try {
    return new Intl.DisplayNames([code], { type: "language" }).of(code) || code;
  } catch {
    return code;
  }
}

function heading(text, ...facts) {
  return h("h4", {}, text, facts.map((fact) => h("span", {}, fact)));
}

function unseen(text, settings = {}) {
  return h("span", { className: "x-unseen", ...settings }, text);
}

let numbers = 0;
/** A control under its label. */
function field(label, control, className = "") {
  control.id ||= `xlmrxl-${++numbers}`;
  return h("div", { className: `x-field ${className}` }, h("label", { for: control.id }, label), control);
}

/** A text box that grows with its text; Enter asks, Shift and Enter begin a line. */
function textBox(ask, settings = {}) {
  const box = h("textarea", { rows: 1, dir: "auto", spellcheck: false, ...settings });
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

function options(select, pairs, chosen) {
  select.replaceChildren(...pairs.map(([value, name]) => h("option", { value, selected: value === chosen }, name)));
}

/** Radio buttons in a row: `names` from values to labels. */
function choice(legend, names, changed) {
  const group = `xlmrxl-${++numbers}`;
  const buttons = Object.entries(names).map(([value, name]) =>
    h("label", {}, h("input", { type: "radio", name: group, value, onchange: () => changed(value) }), name));
  const node = h("fieldset", { className: "x-choice-of" }, h("legend", {}, legend), buttons);
  node.pick = (value) => {
    for (const button of node.querySelectorAll("input")) button.checked = button.value === value;
  };
  node.picked = () => node.querySelector("input:checked")?.value;
  return node;
}

/** Arrow keys move inside a group of buttons, so that Tab passes it in one step. */
function roving(group) {
  const all = () => [...group.querySelectorAll("button")];
  all().forEach((button, place) => { button.tabIndex = place ? -1 : 0; });
  group.addEventListener("keydown", (event) => {
    const buttons = all();
    const here = buttons.indexOf(group.getRootNode().activeElement);
    const leftwards = getComputedStyle(group).direction === "rtl";
    const there = {
      [leftwards ? "ArrowLeft" : "ArrowRight"]: here + 1, ArrowDown: here + 1,
      [leftwards ? "ArrowRight" : "ArrowLeft"]: here - 1, ArrowUp: here - 1, Home: 0, End: buttons.length - 1,
    }[event.key];
    if (here < 0 || there === undefined || !buttons[there]) return;
    event.preventDefault();
    buttons[here].tabIndex = -1;
    buttons[there].tabIndex = 0;
    buttons[there].focus();
  });
  return group;
}

/** Whether the page around is dark: what the host says, or else what the reader's system does. */
function dark() {
  const { body, documentElement: root } = document;
  if (body.dataset.jpThemeLight) return body.dataset.jpThemeLight === "false"; // JupyterLab, Notebook 7
  const kind = body.dataset.vscodeThemeKind; // VS Code
  if (kind) return kind.includes("dark") || kind === "vscode-high-contrast";
  if (root.getAttribute("theme")) return root.getAttribute("theme") === "dark"; // Colab
  for (const node of [body, root]) { // marimo and others
    if (node.classList.contains("dark")) return true;
    if (node.classList.contains("light")) return false;
  }
  return matchMedia("(prefers-color-scheme: dark)").matches;
}

/** Keep `root.dataset.theme` in accord with the page; returns what ends it. */
function followTheme(root) {
  const look = () => { root.dataset.theme = dark() ? "dark" : "light"; };
  const watcher = new MutationObserver(look);
  for (const node of [document.body, document.documentElement]) watcher.observe(node, { attributes: true });
  const system = matchMedia("(prefers-color-scheme: dark)");
  system.addEventListener("change", look);
  look();
  return () => {
    watcher.disconnect();
    system.removeEventListener("change", look);
  };
}

/**
 * A widget: a form, the state of its question, and the answer below.
 *
 * `build(ask)` returns `form` and `buttons`, their nodes; `verb` and `doing`, what the button says before and while it is
 * done; `hint`, before there is an answer; `question()`, the traits that the form sets; `fill()`, which puts them into the
 * form; `answer(found)`, the nodes of an answer; `extra`, names of more traits that change it; `end()`, the clean-up.
 */
function widget({ model, el }, build) {
  const root = h("section", { className: "xlmrxl", "data-lm-suppress-shortcuts": "true" });
  const stopTheme = followTheme(root);

  function ask(changes = {}) {
    for (const [name, value] of Object.entries({ ...parts.question(), ...changes })) model.set(name, value);
    model.set("asked", model.get("asked") + 1);
    model.save_changes();
    status();
  }

  const parts = build(ask);
  const button = h("button", { type: "button", className: "x-primary", onclick: () => ask() }, parts.verb);
  const line = h("p", { className: "x-status", role: "status" });
  const meter = h("progress", { "aria-label": parts.doing, hidden: true });
  const problem = h("p", { className: "x-problem", role: "alert" });
  const output = h("div", { className: "x-output" });
  root.append(h("form", { className: "x-form", onsubmit: (event) => event.preventDefault() },
    parts.form, h("div", { className: "x-buttons" }, button, parts.buttons || [], meter, line)), problem, output);

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
    const hint = model.get("error") ? [] : [h("p", { className: "x-hint" }, parts.hint)];
    const nodes = empty ? hint : parts.answer(found);
    const there = [...output.childNodes];
    // What stays is not put there again: it would lose where it is scrolled to.
    if (nodes.length !== there.length || nodes.some((node, place) => node !== there[place])) output.replaceChildren(...nodes);
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
