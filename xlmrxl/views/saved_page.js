// The script of a saved page: it shows what `export.py` has put into the page.

import attention from "./attention.js";
import { answerFromFile } from "./file.js";
import { makeJsonModel } from "./json_model.js";

/** @import { SavedData } from "./protocol" */

const el = /** @type {HTMLElement} */ (document.getElementById("explorer"));
/** @type {SavedData} */
const data = JSON.parse(document.getElementById("data")?.textContent ?? "");
const { first, selected, settings } = data;
attention.render({ el, model: makeJsonModel({ first, selected, settings, ask: answerFromFile(data) }) });
