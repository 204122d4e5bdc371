// Figures of plotly on a page: plotly.js comes from Python, since no page has to be asked for it, and files go back.

import { findTheme, watchTheme } from "../../xlmrxl/views/colours.js";
import { download, element } from "../../xlmrxl/views/dom.js";
import { field } from "./parts.js";

/** @import { FigureTraits, WidgetModel } from "./traits" */

/** @typedef {{ label: string, args: unknown[] }} Step what a slider of plotly does */
/** @typedef {{ height: number, legend: object, sliders?: { steps: Step[] }[], meta?: { title?: string } }} Layout */
/** A model of a widget with a figure. @typedef {Pick<WidgetModel<FigureTraits>, "get" | "set" | "save_changes" | "on" | "off" | "send">} FigureModel */
/** An element that plotly has drawn into. @typedef {HTMLElement & { _fullLayout?: object }} Plot */

/**
 * What is used of plotly.js.
 * @typedef {object} Plotly
 * @property {(plot: Plot, data: unknown[], layout: Layout, config?: object) => Promise<void>} react
 * @property {(plot: Plot, data: unknown[], layout: Layout) => Promise<void>} newPlot
 * @property {(plot: Plot, ...changes: unknown[]) => Promise<void>} update
 * @property {(plot: Plot, options: object) => Promise<string>} toImage
 * @property {(plot: Plot) => void} purge
 * @property {{ resize(plot: Plot): void }} Plots
 */

/** @typedef {keyof typeof FILES} Format */

const LIBRARY = Symbol.for("xlmrxl.plotly"); // one for all widgets of a page
/** @type {Record<symbol | string, unknown>} */
const page = /** @type {typeof globalThis & Record<symbol | string, unknown>} */ (globalThis);
const FILES = { svg: "SVG", png: "PNG", csv: "CSV", json: "JSON", html: "HTML" };

const PATIENCE = 60_000; // milliseconds to wait for Python

/**
 * Return what Python answers to a request.
 *
 * @param {FigureModel} model
 * @param {string} type
 * @returns {Promise<DataView<ArrayBuffer>>}
 */
function request(model, type) {
  return new Promise((resolve, reject) => {
    /** @param {{ type?: string, error?: string }} content @param {DataView<ArrayBuffer>[]} buffers */
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

/** Run plotly.js, which Python has. @param {FigureModel} model @returns {Promise<Plotly>} */
async function load(model) {
  const packed = new Blob([await request(model, "plotly")]).stream();
  const text = await new Response(packed.pipeThrough(new DecompressionStream("deflate"))).text();
  const lines = ["const module = { exports: {} };\n", text, "\nexport default module.exports;"];
  const url = URL.createObjectURL(new Blob(lines, { type: "text/javascript" }));
  const before = page.Plotly;
  try {
    return (await import(url)).default;
  } finally {
    URL.revokeObjectURL(url);
    page.Plotly = before; // another library of that name stays what it is
  }
}

/** Return plotly.js, which is loaded once for all widgets of a page. @param {FigureModel} model @returns {Promise<Plotly>} */
function loadOnce(model) {
  page[LIBRARY] ??= load(model).catch((error) => {
    page[LIBRARY] = undefined; // the next one to draw tries again
    throw error;
  });
  return /** @type {Promise<Plotly>} */ (page[LIBRARY]);
}

/** Take the slider out of a figure: it stands outside, and the legend takes its room. @param {Layout} layout */
function dropSlider(layout) {
  if (!layout.sliders) return;
  delete layout.sliders;
  layout.height -= 70;
  Object.assign(layout.legend, { y: -0.13 });
}

/**
 * Make a place for figures, and buttons that save them.
 *
 * @param {object} settings
 * @param {FigureModel} settings.model
 * @param {HTMLElement} settings.el
 * @param {() => string} settings.name of the files
 * @param {() => void} [settings.onDraw]
 */
export function plotter({ model, el, name, onDraw }) {
  /** @type {Plot} */
  const plot = element("div", { class: "x-plot", role: "img" });
  const problem = element("span", { role: "alert" });
  const formats = /** @type {Format[]} */ (Object.keys(FILES));
  const files = element(
    "div",
    { class: "x-files", role: "group", "aria-label": "Save what is shown" },
    "Save as ",
    ...formats.map((format) => element("button", { type: "button", click: () => store(format) }, FILES[format])),
    problem,
  );
  /** @type {Plotly | null} */
  let plotly = null;
  let drawn = ""; // the figure on the page, as text
  /** What a slider does without Python. @type {Step[] | null} */
  let steps = null;
  let state = 0;

  const findStep = () => steps?.find(({ label }) => Number(label) === state);

  /** Move a figure that has steps to one of them. @param {number} next */
  function show(next) {
    state = next;
    const step = findStep();
    if (plotly && plot._fullLayout && step) plotly.update(plot, ...step.args);
  }

  /** Draw a figure. @param {string} text its JSON */
  async function draw(text) {
    if (drawn === text) return;
    drawn = text;
    plot.hidden = !text;
    files.hidden = !text;
    if (!text) return;
    if (!plotly) plot.textContent = "Getting ready to draw…";
    try {
      plotly ??= await loadOnce(model);
    } catch (error) {
      plot.textContent = `This page cannot draw: ${messageOf(error)}`;
      return;
    }
    if (drawn !== text) return; // overtaken
    if (!plot._fullLayout) plot.textContent = "";
    const { data, layout } = JSON.parse(text);
    steps = layout.sliders?.[0].steps ?? null;
    dropSlider(layout);
    plot.setAttribute("aria-label", `${layout.meta?.title ?? "figure"}; its numbers can be saved as CSV`);
    await plotly.react(plot, data, layout, { displaylogo: false, responsive: false });
    show(state);
    onDraw?.();
  }

  /** Draw the figure for a light page, which is what paper is. @param {"svg" | "png"} format */
  async function drawPicture(format) {
    plotly ??= await loadOnce(model);
    const { data, layout } = JSON.parse(await new Blob([await request(model, "figure")]).text());
    dropSlider(layout);
    Object.assign(layout, { paper_bgcolor: "#ffffff", width: plot.clientWidth, height: plot.clientHeight });
    const holder = element("div");
    await plotly.newPlot(holder, data, layout);
    const step = findStep();
    if (step) await plotly.update(holder, ...step.args);
    const url = await plotly.toImage(holder, { format, scale: format === "png" ? 2 : 1 });
    plotly.purge(holder);
    return (await fetch(url)).blob();
  }

  /** @param {Format} format */
  async function store(format) {
    problem.textContent = "";
    try {
      const isPicture = format === "svg" || format === "png";
      download(`${name()}.${format}`, isPicture ? await drawPicture(format) : await request(model, format));
    } catch (error) {
      problem.textContent = messageOf(error);
    }
  }

  const watcher = new ResizeObserver(() => {
    if (plot._fullLayout) plotly?.Plots.resize(plot);
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
      plotly?.purge(plot);
    },
  };
}

/** Make a slider for states. @param {(state: number) => void} onMove */
export function stateSlider(onMove) {
  const slider = element("input", { type: "range", min: 0, step: 1, input: () => onMove(Number(slider.value)) });
  const said = element("output", { class: "x-state" });
  const node = field("State", slider, "x-grow");
  node.append(element("div", { class: "x-slider" }, slider, said));
  return Object.assign(node, {
    /** Say where it stands. @param {number} state @param {number} last */
    at(state, last) {
      slider.max = String(last);
      slider.value = String(state);
      const name = { 0: " (embeddings)", [last]: " (final)" }[state] ?? "";
      said.textContent = `${state} of ${last}${name}`;
      slider.setAttribute("aria-valuetext", `state ${said.textContent}`);
    },
  });
}

/** @param {unknown} error */
function messageOf(error) {
  return error instanceof Error ? error.message : String(error);
}
