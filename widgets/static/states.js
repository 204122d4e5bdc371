const LIBRARY = Symbol.for("xlmrxl.plotly"); // one for all widgets of a page
const FILES = { svg: "SVG", png: "PNG", csv: "CSV", json: "JSON", html: "HTML" };

/** What the next message of a type says; `send` asks for it. */
function reply(model, type) {
  return new Promise((resolve) => {
    const hear = (content, buffers) => {
      if (content?.type !== type) return;
      model.off("msg:custom", hear);
      resolve(buffers[0]);
    };
    model.on("msg:custom", hear);
    model.send({ type });
  });
}

/** plotly.js, which Python has: no page has to be asked for it. */
function library(model) {
  globalThis[LIBRARY] ??= (async () => {
    const packed = new Blob([await reply(model, "plotly")]).stream();
    const text = await new Response(packed.pipeThrough(new DecompressionStream("deflate"))).text();
    const url = URL.createObjectURL(new Blob(["const module = { exports: {} };\n", text, "\nexport default module.exports;"],
      { type: "text/javascript" }));
    const before = globalThis.Plotly;
    try {
      return (await import(url)).default;
    } finally {
      URL.revokeObjectURL(url);
      globalThis.Plotly = before; // another library of that name stays what it is
    }
  })();
  return globalThis[LIBRARY];
}

/** A figure whose slider stands outside, and whose legend takes its room. */
function withoutSlider(layout) {
  if (!layout.sliders) return;
  delete layout.sliders;
  layout.height -= 70;
  Object.assign(layout.legend, { y: -0.13 });
}

function render({ model, el }) {
  return widget({ model, el }, (ask) => {
    const texts = textBox(ask, { placeholder: "The dog sleeps in the garden.", class: "x-sentence-box" });
    const view = element("select", { change: () => ask({ view: view.value }) });
    const slider = element("input", { type: "range", min: 0, step: 1, input: () => slide(Number(slider.value)) });
    const state = element("output", { class: "x-state" });
    const which = element("select", { change: () => ask({ which: Number(which.value), position: null }) });
    const beside = element("select", { change: () => ask({ beside: Number(beside.value) }) });
    const token = element("select", { change: () => ask({ position: token.value === "" ? null : Number(token.value) }) });
    const unit = element("select", { change: () => ask({ of: unit.value }) });
    const targets = element("input", { type: "text", dir: "auto", placeholder: "dog, cat",
      change: () => ask({ targets: targets.value.split(COMMAS).map((word) => word.trim()).filter((word) => word) }) });
    const mean = element("input", { type: "checkbox", change: () => ask({ corrected: mean.checked }) });
    const controls = {
      layer: field("State", element("div", { class: "x-slider" }, slider, state), "x-grow"),
      which: field("Text", which),
      beside: field("Aligned with", beside),
      position: field("Token", token),
      of: field("Points", unit),
      targets: field("Words, with commas between them", targets, "x-grow"),
      corrected: element("label", { class: "x-check" }, mean, "without the mean"),
    };
    slider.id = controls.layer.querySelector("label").htmlFor = uniqueId();
    const what = element("p", { class: "x-note" });
    const plot = element("div", { class: "x-plot", role: "img" });
    const files = element("div", { class: "x-files", role: "group", "aria-label": "Save what is shown" }, "Save as ",
      ...Object.entries(FILES).map(([type, name]) => element("button", { type: "button", click: () => store(type) }, name)));
    const body = element("div", {}, element("div", { class: "x-fields" }, field("View", view), ...Object.values(controls)), what,
      plot, files);
    let Plotly = null;
    let drawn = null; // the figure on the page, as text
    let steps = null; // what the slider does without Python

    function slide(layer) {
      model.set("layer", layer);
      if (steps) model.save_changes();
      else ask({ layer });
      follow();
    }

    /** Say which state is shown, and show it where that needs nothing of Python. */
    function follow() {
      const layer = model.get("layer");
      const last = Number(slider.max);
      slider.value = layer;
      const notes = { 0: " (embeddings)", [last]: " (final)" };
      state.textContent = `${layer} of ${last}${notes[layer] || ""}`;
      slider.setAttribute("aria-valuetext", `state ${state.textContent}`);
      const step = steps?.find(({ label }) => Number(label) === layer);
      if (step && Plotly) Plotly.update(plot, ...step.args);
    }

    async function draw(found) {
      const text = found.figure;
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
      steps = layout.sliders?.[0].steps ?? null; // a slider of the page's own is at hand, and on the keyboard
      withoutSlider(layout);
      plot.setAttribute("aria-label", `${layout.meta?.title ?? "figure"}; its numbers can be saved as CSV`);
      await Plotly.react(plot, data, layout, { displaylogo: false, responsive: false });
      follow();
    }

    async function store(type) {
      const name = `hidden-states-${model.get("view")}.${type}`;
      if (type in { svg: 1, png: 1 }) {
        const figure = JSON.parse(await new Blob([await reply(model, "figure")]).text()); // for a light page, for paper
        const { data, layout } = figure;
        withoutSlider(layout);
        const step = steps?.find(({ label }) => Number(label) === model.get("layer"));
        Object.assign(layout, { paper_bgcolor: "#ffffff", width: plot.clientWidth, height: plot.clientHeight });
        const holder = element("div");
        await Plotly.newPlot(holder, data, layout);
        if (step) await Plotly.update(holder, ...step.args);
        const url = await Plotly.toImage(holder, { format: type, scale: type === "png" ? 2 : 1 });
        Plotly.purge(holder);
        download(name, await (await fetch(url)).blob());
      } else {
        download(name, new Blob([await reply(model, type)]));
      }
    }

    const watcher = new ResizeObserver(() => { if (Plotly && plot._fullLayout) Plotly.Plots.resize(plot); });
    watcher.observe(plot);
    const tellTheme = () => {
      const dark = themeOf(el) === "dark";
      if (model.get("dark") === dark) return;
      model.set("dark", dark);
      model.save_changes();
    };
    const stopTheme = watchTheme(tellTheme);
    requestAnimationFrame(tellTheme); // once it is on the page

    return {
      verb: "Look inside",
      doing: "Reading",
      hint: "Write a text, or several that say the same in different languages, and press Enter.",
      form: [field("Texts, one a line (Shift and Enter begin another)", texts, "x-wide")],
      question: () => ({ texts: texts.value.split("\n").map((text) => text.trim()).filter((text) => text) }),
      fill() {
        texts.value = model.get("texts").join("\n");
        texts.grow();
      },
      answer(found) {
        options(view, found.views, found.view);
        options(which, found.names.map((name, place) => [String(place), name]), String(model.get("which")));
        options(beside, found.names.map((name, place) => [String(place), name]), String(model.get("beside")));
        const pieces = found.tokens[Math.min(model.get("which"), found.tokens.length - 1)];
        options(token, [["", "all, or the masks"], ...pieces.map((piece, place) => [String(place), `${place}  ${piece}`])],
          String(model.get("position") ?? ""));
        const of = model.get("of");
        options(unit, found.units.map((name) => [name, name]), found.units.includes(of) ? of : found.units[0]);
        if (targets.getRootNode().activeElement !== targets) targets.value = model.get("targets").join(", ");
        mean.checked = model.get("corrected");
        slider.max = found.layers;
        for (const [name, node] of Object.entries(controls)) node.hidden = !found.uses.includes(name);
        if (found.names.length < 2) controls.which.hidden = true;
        what.textContent = found.what;
        follow();
        draw(found);
        return [body];
      },
      extra: ["view", "position", "of", "which", "beside", "corrected", "targets"],
      also: { layer: follow },
      end() {
        stopTheme();
        watcher.disconnect();
        if (Plotly) Plotly.purge(plot);
      },
    };
  });
}

export default { render };
