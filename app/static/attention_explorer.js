// The attention explorer in its tab. The page keeps what it is about and sends it along with every request, so that the
// server may forget it, or be another one.

import { findStatus } from "./files.js";

/** @import { GradioHtml } from "./page" */
/** @import { Explorer } from "../../xlmrxl/views/explorer.js" */
/** @import { BriefTraits, First, JsonReply, Request } from "../../xlmrxl/views/protocol" */
/** @import { JsonModel } from "../../xlmrxl/views/json_model.js" */

/**
 * What the server sends for a text: see `app/attention.py`.
 * @typedef {{ first: First, about: string[], python: string, citation: string }} Inspected
 */

/**
 * Mount the explorer in Gradio's element, and open what the server sends from then on.
 *
 * @param {GradioHtml<Inspected, { ask: (packet: [string[], Request]) => Promise<JsonReply> }>} gradio
 */
export function mountExplorer({ element, props, server, watch }) {
  /** @type {Inspected} */
  let value;
  /** @type {JsonModel | null} */
  let model = null;
  /** @type {(HTMLElement & { explorer?: Explorer }) | null} */
  let place = null;
  // Anybody may have written the address of the page: the explorer checks what it says.
  let recorded = /** @type {BriefTraits | null} */ (window.xlmrxl.links.readView("attention"));

  async function open() {
    if (!props.value?.first) return;
    value = props.value;
    // Gradio may have drawn the place anew.
    if (model && place?.isConnected) {
      model.open(value.first);
      return;
    }
    const module = await window.xlmrxl.loadExplorer();
    place = /** @type {HTMLElement} */ (element.querySelector("div"));
    place.addEventListener("painted", record);
    const ask = (/** @type {Request} */ request) => server.ask([value.about, request]);
    const { selected, settings } = Object(recorded);
    model = module.makeJsonModel({ first: value.first, ask, selected, settings, onChange: record });
    module.default.render({ model, el: place });
  }

  /** Note what is shown now, for its link and for the buttons. */
  function record() {
    const explorer = place?.explorer;
    if (!explorer?.settings) return;
    const { brief } = explorer;
    const [python, citation] = element.querySelectorAll(".x-actions [data-copy]");
    /** @type {HTMLElement} */ (python).dataset.copy = explorer.python(value.python);
    /** @type {HTMLElement} */ (citation).dataset.copy = value.citation;
    if (JSON.stringify(brief) === JSON.stringify(recorded ?? {})) return;
    recorded = brief;
    window.xlmrxl.links.recordView("attention", recorded);
    findStatus(element.querySelector(".x-actions")).textContent = "";
  }

  watch("value", open);
  open();
}
