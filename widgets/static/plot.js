// @ts-nocheck: not typed yet
// Figures of plotly on a page: plotly.js comes from Python, since no page has to be asked for it, and files go back.

import { findTheme, watchTheme } from "../../xlmrxl/views/colours.js";
import { download, element } from "../../xlmrxl/views/dom.js";
import { field } from "./parts.js";

const LIBRARY = Symbol.for("xlmrxl.plotly"); // one for all widgets of a page
const FILES = { svg: "SVG", png: "PNG", csv: "CSV", json: "JSON", html: "HTML" };

const PATIENCE = 60_000; // milliseconds to wait for Python

/** What Python answers to a request of a type. */
export function reply(model, type) {
  return new Promise((resolve, reject) => {
    const hear = (content, buffers) => {
      if (content?.type !== type) return;
      end();
      if (buffers.length) resolve(buffers[0]);
      else reject(new Error(content.error));
    };
    const end = () => {
      clearTimeout(timer);
      model.off("msg:custom", hear);
    };
    const timer = setTimeout(() => {
      end();
      reject(new Error("Python does not answer."));
    }, PATIENCE);
    model.on("msg:custom", hear);
    model.send({ type });
  });
}

/** plotly.js, which Python has: no page has to be asked for it. */
export function library(model) {
  globalThis[LIBRARY] ??= (async () => {
    const packed = new Blob([await reply(model, "plotly")]).stream();
    const text = await new Response(packed.pipeThrough(new DecompressionStream("deflate"))).text();
    const url = URL.createObjectURL(
      new Blob(["const module = { exports: {} };\n", text, "\nexport default module.exports;"], {
        type: "text/javascript",
      }),
    );
    const before = globalThis.Plotly;
    try {
      return (await import(url)).default;
    } finally {
      URL.revokeObjectURL(url);
      globalThis.Plotly = before; // another library of that name stays what it is
    }
  })().catch((error) => {
    globalThis[LIBRARY] = undefined; // the next one to draw tries again
    throw error;
  });
  return globalThis[LIBRARY];
}

/** A figure whose slider stands outside, and whose legend takes its room. */
export function withoutSlider(layout) {
  if (!layout.sliders) return;
  delete layout.sliders;
  layout.height -= 70;
  Object.assign(layout.legend, { y: -0.13 });
}

/**
 * A place for figures, and buttons that save them.
 *
 * `name()` is that of the files. What it returns: `nodes`; `draw(text)`, for a figure as JSON; `show(state)`, which moves
 * a figure that has steps to one of them; `steps()`, what they are, or null; `end()`, the clean-up.
 */
export function plotter({ model, el, name, drawn: told }) {
  const plot = element("div", { class: "x-plot", role: "img" });
  const problem = element("span", { role: "alert" });
  const files = element(
    "div",
    { class: "x-files", role: "group", "aria-label": "Save what is shown" },
    "Save as ",
    ...Object.entries(FILES).map(([type, label]) =>
      element("button", { type: "button", click: () => store(type) }, label),
    ),
    problem,
  );
  let Plotly = null;
  let drawn = null; // the figure on the page, as text
  let steps = null; // what a slider does without Python
  let state = 0;

  const step = () => steps?.find(({ label }) => Number(label) === state);
  function show(next) {
    state = next;
    if (Plotly && plot._fullLayout && step()) Plotly.update(plot, ...step().args);
  }

  async function draw(text) {
    if (drawn === text) return;
    drawn = text;
    plot.hidden = files.hidden = !text;
    if (!text) return;
    if (!Plotly) plot.textContent = "Getting ready to draw…";
    try {
      Plotly ??= await library(model);
    } catch (error) {
      plot.textContent = `This page cannot draw: ${error.message}`;
      return;
    }
    if (drawn !== text) return; // overtaken
    if (!plot._fullLayout) plot.textContent = "";
    const { data, layout } = JSON.parse(text);
    steps = layout.sliders?.[0].steps ?? null;
    withoutSlider(layout);
    plot.setAttribute("aria-label", `${layout.meta?.title ?? "figure"}; its numbers can be saved as CSV`);
    await Plotly.react(plot, data, layout, { displaylogo: false, responsive: false });
    show(state);
    told?.();
  }

  /** The figure for a light page, which is what paper is. */
  async function picture(format) {
    const { data, layout } = JSON.parse(await new Blob([await reply(model, "figure")]).text());
    withoutSlider(layout);
    Object.assign(layout, { paper_bgcolor: "#ffffff", width: plot.clientWidth, height: plot.clientHeight });
    const holder = element("div");
    await Plotly.newPlot(holder, data, layout);
    if (step()) await Plotly.update(holder, ...step().args);
    const url = await Plotly.toImage(holder, { format, scale: format === "png" ? 2 : 1 });
    Plotly.purge(holder);
    return (await fetch(url)).blob();
  }

  async function store(type) {
    problem.textContent = "";
    try {
      const content = type === "svg" || type === "png" ? await picture(type) : new Blob([await reply(model, type)]);
      download(`${name()}.${type}`, content);
    } catch (error) {
      problem.textContent = error.message;
    }
  }

  const watcher = new ResizeObserver(() => {
    if (plot._fullLayout) Plotly.Plots.resize(plot);
  });
  watcher.observe(plot);
  const tellTheme = () => {
    const dark = findTheme(el) === "dark";
    if (model.get("dark") === dark) return;
    model.set("dark", dark);
    model.save_changes();
  };
  const stopTheme = watchTheme(tellTheme);
  requestAnimationFrame(tellTheme); // once it is on the page
  return {
    nodes: [plot, files],
    draw,
    show,
    steps: () => steps,
    end() {
      stopTheme();
      watcher.disconnect();
      if (Plotly) Plotly.purge(plot);
    },
  };
}

/** A slider for states; `node.at(state, last)` says where it stands. */
export function stateSlider(moved) {
  const slider = element("input", { type: "range", min: 0, step: 1, input: () => moved(Number(slider.value)) });
  const said = element("output", { class: "x-state" });
  const node = field("State", slider, "x-grow");
  node.append(element("div", { class: "x-slider" }, slider, said));
  node.at = (state, last) => {
    slider.max = last;
    slider.value = state;
    said.textContent = `${state} of ${last}${{ 0: " (embeddings)", [last]: " (final)" }[state] ?? ""}`;
    slider.setAttribute("aria-valuetext", `state ${said.textContent}`);
  };
  return node;
}
