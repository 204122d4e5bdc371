// The widget of the attention explorer: a form above it.

import attention from "../../xlmrxl/views/attention.js";
import { element } from "../../xlmrxl/views/dom.js";
import { field, textBox, widget } from "./parts.js";

/** @import { Model } from "../../xlmrxl/views/protocol" */
/** @import { ExplorerTraits, Mounted } from "./traits" */

/** @param {Mounted<ExplorerTraits>} mounted */
function render({ model, el }) {
  return widget({ model, el }, (ask) => {
    const text = textBox(() => ask(), { placeholder: "The dog chased its tail.", class: "x-sentence-box" });
    const second = textBox(() => ask());
    const other = textBox(() => ask());
    const more = element(
      "details",
      { class: "x-more" },
      element("summary", {}, "A second sentence, or another text beside it"),
      field("Second sentence, read together with the first", second, "x-wide"),
      field("Another text beside it, perhaps in another language", other, "x-wide"),
    );
    const place = element("div", { class: "x-explorer" });
    /** @type {(() => void) | null} */
    let end = null;

    return {
      verb: "Look inside",
      doing: "Reading",
      hint: "Write a sentence and press Enter.",
      form: [field("Text", text, "x-wide"), more],
      question: () => ({ text: text.value, text_pair: second.value, other: other.value }),
      fill() {
        for (const [name, box] of Object.entries({ text, text_pair: second, other })) {
          box.value = model.get(/** @type {"text" | "text_pair" | "other"} */ (name));
          box.grow();
        }
        if (second.value || other.value) more.open = true;
      },
      answer() {
        if (!model.get("found")?.text) return null;
        end ??= attention.render({ model: /** @type {Model} */ (/** @type {unknown} */ (model)), el: place });
        return [place];
      },
      end: () => end?.(),
    };
  });
}

export default { render };
