// Mounts the attention explorer; Gradio gives `element`, `props`, `server` and `watch`. The page keeps what it is about
// and sends it along with every request, so that the server may forget it, or be another one.
let about = null;
let model = null;
let place = null;

async function show() {
  const { value } = props;
  if (!value || !value.first) return;
  about = value.about;
  // Gradio may have drawn the place anew.
  if (model && place.isConnected) return model.open(value.first);
  const explorer = await window.xlmrxlExplorer();
  place = element.querySelector("div");
  model = explorer.jsonModel({ first: value.first, ask: (request) => server.ask([about, request]) });
  explorer.default.render({ model, el: place });
}

watch("value", show);
show();
