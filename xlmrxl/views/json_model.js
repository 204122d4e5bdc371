// A model of the explorer where there is no anywidget.

import { toBytes } from "./weights.js";

/** @import { Events, First, JsonReply, Meta, Model, Request, Traits } from "./protocol" */

/** @typedef {Model & { open(first: First): void }} JsonModel */

/**
 * Make a model of JSON with base64.
 *
 * @param {object} parts
 * @param {First} [parts.first] `join_buffers(*view.first())`
 * @param {(request: Request) => Promise<JsonReply>} parts.ask from a request to `join_buffers(*view.answer(request))`
 * @param {Traits["selected"]} [parts.selected] the trait to begin with
 * @param {Traits["settings"]} [parts.settings] the trait to begin with
 * @param {(name: keyof Traits, value: unknown) => void} [parts.onChange] is given the traits that the page sets
 * @returns {JsonModel} `set(name, value)` is for the page around, `open(first)` for another text
 */
export function makeJsonModel({ first, ask, selected = {}, settings = {}, onChange = () => {} }) {
  /** @type {Traits} */
  const traits = { meta: null, buffers: [], selected, settings };
  /** @type {Map<keyof Events, Function[]>} */
  const callbacks = new Map();
  /** @type {Set<keyof Traits>} */
  const changed = new Set();

  /** @param {keyof Events} event @param {unknown[]} values */
  function emit(event, ...values) {
    for (const callback of callbacks.get(event) ?? []) callback(...values);
  }

  /** @type {JsonModel} */
  const model = {
    get: (name) => traits[name],
    set(name, value) {
      traits[name] = value;
      changed.add(name);
      emit(`change:${name}`);
    },
    save_changes() {
      for (const name of changed) onChange(name, traits[name]);
      changed.clear();
    },
    on(event, callback) {
      callbacks.set(event, [...(callbacks.get(event) ?? []), callback]);
    },
    off(event, callback) {
      callbacks.set(event, callbacks.get(event)?.filter((other) => other !== callback) ?? []);
    },
    async send(request) {
      /** @type {JsonReply} */
      let reply;
      try {
        reply = await ask(request);
      } catch (error) {
        reply = { id: request.id, type: request.type, error: `No answer: ${/** @type {Error} */ (error).message}` };
      }
      const { buffers = [], ...content } = reply;
      const views = buffers.map((buffer) => new DataView(toBytes(buffer).buffer));
      emit("msg:custom", content, views);
    },
    open({ buffers, ...meta }) {
      traits.buffers = buffers;
      traits.meta = /** @type {Meta} */ (meta);
      emit("change:meta");
    },
  };
  if (first) model.open(first);
  return model;
}
