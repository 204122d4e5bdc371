// What can be taken away of hidden states, and what goes with every request of their tab. Pictures are drawn here, by
// plotly.js itself, which is fetched when the first one is asked for.

import { closest } from "../../xlmrxl/rendering/interaction.js";
import { findStatus, messageOf, saveFile } from "./files.js";

/** @import { GradioHtml, PlotlyElement, PlotlyFigure, PlotlyLayout, PlotlyStep } from "./page" */

const PLOT = "#states-figure .js-plotly-plot";
const SLIDER_HEIGHT = 70; // pixels that a figure's slider takes

/** @type {number | null} the state that the slider of the projection was moved to; it goes into the link of the tab */
let sliderState = null;

/** @param {{ step: PlotlyStep }} event of plotly */
function recordState({ step }) {
  sliderState = Number(step.label);
  window.xlmrxl.links.recordView("states", { state: sliderState });
}

/**
 * Return what is asked of hidden states, with what only the page knows in its last two places: the state that the slider
 * was moved to, here or where the link was copied that opened the page, and whether the page is dark, for which figures
 * are drawn.
 *
 * @param {unknown[]} inputs
 */
export function addPageSettings(inputs) {
  const { state = null } = /** @type {{ state?: unknown }} */ (Object(window.xlmrxl.links.readView("states")));
  const known = sliderState ?? state;
  const isDark = document.body.classList.contains("dark");
  return [...inputs.slice(0, -2), Number.isInteger(known) ? `${known}` : "", isDark];
}

/**
 * Turn a figure with a slider into the one that the slider shows: on paper, the name of the state stands in the title.
 *
 * @param {PlotlyLayout} layout is changed
 * @param {number | undefined} active the place of the slider
 * @returns {PlotlyStep | undefined} what plotly has to do to show it
 */
export function fixSliderStep(layout, active) {
  const step = layout.sliders?.[0]?.steps[active ?? -1];
  if (!step) return undefined;
  layout.title.text = layout.title.text.replace(/^[^<]*/, (title) => `${title}, state ${step.label}`);
  layout.height = (layout.height ?? 0) - SLIDER_HEIGHT;
  layout.legend = { ...layout.legend, y: -0.13 };
  delete layout.sliders;
  return step;
}

/**
 * Mount the buttons that save what the tab shows, which is described by `props.value.about`.
 *
 * @param {GradioHtml<
 *   { about: unknown, python: string, citation: string },
 *   { save: (packet: [kind: string, about: unknown]) => Promise<{ text: string, error?: string }> }
 * >} gradio
 */
export function mountStatesFiles({ element, props, server, watch }) {
  const status = () => findStatus(element);

  function showValue() {
    const [python, citation] = element.querySelectorAll("[data-copy]");
    /** @type {HTMLElement} */ (python).dataset.copy = props.value?.python ?? "";
    /** @type {HTMLElement} */ (citation).dataset.copy = props.value?.citation ?? "";
    status().textContent = "";
  }

  /** @param {string} kind */
  async function fetchText(kind) {
    const answer = await server.save([kind, props.value?.about]);
    if (answer.error) throw new Error(answer.error);
    return answer.text;
  }

  /** @param {"png" | "svg"} kind */
  async function drawPicture(kind) {
    const { data, layout } = /** @type {PlotlyFigure} */ (JSON.parse(await fetchText("figure")));
    const plotly = await window.xlmrxl.loadPlotly();
    const shown = /** @type {PlotlyElement | null} */ (document.querySelector(PLOT));
    const step = fixSliderStep(layout, shown?.layout?.sliders?.[0]?.active);
    layout.paper_bgcolor = layout.plot_bgcolor = "white";
    const holder = document.createElement("div");
    await plotly.newPlot(holder, data, layout);
    if (step) await plotly[step.method](holder, ...step.args);
    const size = { width: 1000, height: layout.height || 600 };
    const url = await plotly.toImage(holder, { format: kind, scale: kind === "png" ? 2 : 1, ...size });
    plotly.purge(holder);
    return (await fetch(url)).blob();
  }

  watch("value", showValue);
  showValue();

  // Gradio draws the figure anew with each answer.
  const listened = new WeakSet();
  new MutationObserver(() => {
    const plot = /** @type {PlotlyElement | null} */ (document.querySelector(PLOT));
    if (!plot?.on || listened.has(plot)) return;
    listened.add(plot);
    plot.on("plotly_sliderchange", recordState);
  }).observe(/** @type {Element} */ (element.closest("[role=tabpanel]")), { childList: true, subtree: true });

  element.addEventListener("click", async ({ target }) => {
    const button = closest(target, "[data-file]");
    const kind = button?.dataset.file;
    if (!button || !kind) return;
    status().textContent = `Making ${button.textContent} …`;
    try {
      const blob = kind === "svg" || kind === "png" ? await drawPicture(kind) : new Blob([await fetchText(kind)]);
      saveFile(blob, `hidden-states.${kind}`);
      status().textContent = `${button.textContent} saved.`;
    } catch (error) {
      status().textContent = messageOf(error);
    }
  });
}
