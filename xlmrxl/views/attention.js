// The attention explorer: an ES module in the anywidget format. What it is sent and what it asks for stands in protocol.py,
// and so does how it is mounted where there is no anywidget.
//
// `el.explorer` is the Explorer, for tests and scripts: after a "painted" event on `el` (detail: "map" or "head"),
// `el.explorer.shown[side]` has the rows, the columns, `value(i, j)` and `error(i, j)` of what is on screen.

import STYLE from "./attention.css";
import { element } from "./dom.js";
import { Explorer } from "./explorer.js";
import { Page } from "./page.js";

/** @import { Model } from "./protocol" */

/**
 * Mount the explorer.
 *
 * @param {{ model: Model, el: HTMLElement }} place
 * @returns {() => void} the clean-up
 */
function render({ model, el }) {
  // JupyterLab would take the keys of a focused output for those of the notebook.
  const host = element("div", { class: "xlmrxl-attention", "data-lm-suppress-shortcuts": "true" });
  const root = host.attachShadow({ mode: "open" });
  const explorer = new Explorer(model);
  const page = new Page(explorer, el);
  root.append(element("style", {}, STYLE), page.frame);
  el.append(host);
  Object.assign(el, { explorer });
  explorer.views.add(page);
  explorer.open();
  return () => {
    page.close();
    explorer.close();
    host.remove();
  };
}

export { makeJsonModel } from "./json_model.js";

export default { render };
