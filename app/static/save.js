// What can be taken away of hidden states; Gradio gives `element`, `props`, `server` and `watch`. Pictures are drawn here,
// by plotly.js itself, which is fetched when the first one is asked for.
function fill() {
  const [python, cite] = element.querySelectorAll("[data-copy]");
  python.dataset.copy = props.value?.python ?? "";
  cite.dataset.copy = props.value?.citation ?? "";
  element.querySelector("[role=status]").textContent = "";
}
watch("value", fill);
fill();

// The state that the plane is slid to goes into its link.
const heard = new WeakSet();
function slid({ step }) {
  window.xlmrxl.slid = Number(step.label);
  window.xlmrxl.recordView("states", { state: window.xlmrxl.slid });
}
new MutationObserver(() => {
  const plot = document.querySelector("#states-figure .js-plotly-plot");
  if (!plot?.on || heard.has(plot)) return;
  heard.add(plot);
  plot.on("plotly_sliderchange", slid);
}).observe(element.closest("[role=tabpanel]"), { childList: true, subtree: true });

async function text(kind) {
  const answer = await server.save([kind, props.value.about]);
  if (answer.error) throw new Error(answer.error);
  return answer.text;
}

async function picture(kind) {
  const { data, layout } = JSON.parse(await text("figure"));
  const plotly = await window.xlmrxlPlotly();
  // The state that the page has been slid to; on paper its name stands in the title.
  const slid = document.querySelector("#states-figure .js-plotly-plot")?.layout?.sliders?.[0]?.active;
  const step = layout.sliders?.[0]?.steps[slid];
  if (step) {
    layout.title.text = layout.title.text.replace(/^[^<]*/, (title) => `${title}, state ${step.label}`);
    layout.height -= 70;
    layout.legend = { ...layout.legend, y: -0.13 };
    delete layout.sliders;
  }
  layout.paper_bgcolor = layout.plot_bgcolor = "white";
  const holder = document.createElement("div");
  await plotly.newPlot(holder, data, layout);
  if (step) await plotly[step.method](holder, ...step.args);
  const size = { width: 1000, height: layout.height || 600 };
  const url = await plotly.toImage(holder, { format: kind, scale: kind === "png" ? 2 : 1, ...size });
  plotly.purge(holder);
  return (await fetch(url)).blob();
}

element.addEventListener("click", async (event) => {
  const button = event.target.closest ? event.target.closest("[data-file]") : null;
  if (!button) return;
  const kind = button.dataset.file;
  const status = element.querySelector("[role=status]");
  status.textContent = `Making ${button.textContent} …`;
  try {
    const blob = kind === "svg" || kind === "png" ? await picture(kind) : new Blob([await text(kind)]);
    window.xlmrxl.keep(blob, `hidden-states.${kind}`);
    status.textContent = `${button.textContent} saved.`;
  } catch (error) {
    status.textContent = error.message;
  }
});
