// The widget that fills masks.

import { selectFill } from "../../xlmrxl/rendering/interaction.js";
import { element } from "../../xlmrxl/views/dom.js";
import { choice, field, MASK, textBox, widget } from "./parts.js";

const METHODS = { subwords: "subwords", words: "whole words", joint: "all masks together" };

/** @import { FillTraits, Mounted } from "./traits" */

/** @param {Mounted<FillTraits>} mounted */
function render({ model, el }) {
  return widget({ model, el }, (ask) => {
    const text = textBox(() => ask(), { placeholder: "Paris is the <mask> of France.", class: "x-sentence-box" });
    const method = choice("Fill with", METHODS, () => ask());
    const count = element("input", { type: "number", min: 1, max: 100, step: 1, change: () => ask() });
    const insert = element("button", { type: "button", click: insertMask }, "Insert <mask>");

    /** Put a mask at the caret, or in place of what is selected; its spaces stay. */
    function insertMask() {
      const { selectionStart: start, selectionEnd: end, value } = text;
      const chosen = value.slice(start, end);
      const before = chosen.slice(0, chosen.length - chosen.trimStart().length);
      const after = chosen.trim() ? chosen.slice(chosen.trimEnd().length) : "";
      text.setRangeText(before + MASK + after, start, end);
      const caret = start + before.length + MASK.length;
      text.focus();
      text.setSelectionRange(caret, caret);
      text.grow();
    }

    /** Show in the sentence which fills are selected. @param {ParentNode} output */
    function showSelected(output) {
      const selected = model.get("selected");
      if (output.querySelector("[data-way]")) selectFill(output, 0, selected[0]);
      else for (const [place, rank] of selected.entries()) selectFill(output, place + 1, rank);
    }

    /** Put a fill that was clicked; of joint ones the mask is 0, and it fills them all. @param {number} mask @param {number} rank */
    function select(mask, rank) {
      model.set(
        "selected",
        model.get("selected").map((old, place) => (mask === 0 || mask === place + 1 ? rank : old)),
      );
      model.save_changes();
    }

    return {
      verb: "Fill masks",
      doing: "Filling",
      hint: "Write a sentence with <mask> where a word is missing and press Enter.",
      form: [
        field("Sentence", text, "x-wide"),
        element("div", { class: "x-fields" }, method, field("Fills for each mask", count)),
      ],
      buttons: [insert],
      question: () => ({
        text: text.value,
        method: method.picked() || model.get("method"),
        top_k: Math.max(1, Math.round(Number(count.value)) || model.get("top_k")),
      }),
      fill() {
        text.value = model.get("text");
        text.grow();
        method.pick(model.get("method"));
        count.value = String(model.get("top_k"));
      },
      onAsk: (asked) => model.send({ type: "mask", ...asked }),
      onSelect: select,
      drawn: showSelected,
      also: { selected: showSelected },
    };
  });
}

export default { render };
