// Mounts the attention explorer; Gradio gives `element`, `props`, `server` and `watch`. The page keeps what it is about
// and sends it along with every request, so that the server may forget it, or be another one.
let value = null;
let model = null;
let place = null;
let kept = window.xlmrxl.view("attention"); // of an address that anybody may have written: the explorer checks it

async function show() {
  if (!props.value?.first) return;
  value = props.value;
  // Gradio may have drawn the place anew.
  if (model && place.isConnected) return model.open(value.first);
  const explorer = await window.xlmrxlExplorer();
  place = element.querySelector("div");
  place.addEventListener("painted", note);
  const ask = (request) => server.ask([value.about, request]);
  const { selected, settings } = Object(kept);
  model = explorer.jsonModel({ first: value.first, ask, selected, settings, changed: note });
  explorer.default.render({ model, el: place });
}

/** What is shown now, for its link and for the buttons. */
function note() {
  const { explorer } = place;
  if (!explorer.settings) return;
  const { brief } = explorer;
  const [python, cite] = element.querySelectorAll(".x-actions [data-copy]");
  python.dataset.copy = explorer.python(value.python);
  cite.dataset.copy = value.citation;
  if (JSON.stringify(brief) === JSON.stringify(kept ?? {})) return;
  kept = brief;
  window.xlmrxl.recordView("attention", kept);
  element.querySelector(".x-actions [role=status]").textContent = "";
}

watch("value", show);
show();
