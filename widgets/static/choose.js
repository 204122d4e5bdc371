// The widget that chooses what goes with a prompt.

import { element } from "../../xlmrxl/views/dom.js";
import { choice, field, findFocused, languageName, options, textBox, widget } from "./parts.js";

/** @import { TextBox } from "./parts.js" */
/** @import { ChooseTraits, Mounted } from "./traits" */

const QUESTIONS = { "": "none: it just goes on", cause: "cause: because …", effect: "effect: so …" };

/** @param {Mounted<ChooseTraits>} mounted */
function render({ model, el }) {
  return widget({ model, el }, (ask) => {
    const prompt = textBox(() => ask(), { placeholder: "It rained all night.", class: "x-sentence-box" });
    const list = element("div", { class: "x-stack", role: "group", "aria-label": "Choices" });
    const { languages } = model.get("form");
    const question = choice("Question", QUESTIONS, () => {
      showLanguage();
      ask();
    });
    const language = element("select", { change: () => ask() });
    const languageField = field("Language of the “because” and “so”", language);

    function showLanguage() {
      languageField.hidden = !question.picked();
    }

    /** @type {TextBox[]} */
    let boxes = [];
    function addChoice() {
      const number = boxes.length + 1;
      const box = textBox(() => ask(), { placeholder: `Choice ${number}`, "aria-label": `Choice ${number}` });
      list.append(box);
      boxes.push(box);
      return box;
    }
    const add = element("button", { type: "button", click: () => addChoice().focus() }, "Add a choice");

    return {
      verb: "Choose",
      doing: "Choosing",
      hint: "Write a prompt and what may go with it, and press Enter.",
      form: [
        field("Prompt", prompt, "x-wide"),
        element("div", { class: "x-field x-wide" }, element("span", {}, "Choices"), list),
        languages.length ? element("div", { class: "x-fields" }, question, languageField) : null,
      ],
      buttons: [add],
      question: () => ({
        prompt: prompt.value,
        choices: boxes.map((box) => box.value).filter((text) => text.trim()),
        question: question.picked() || "",
        language: language.value || model.get("language"),
      }),
      fill() {
        prompt.value = model.get("prompt");
        prompt.grow();
        const given = model.get("choices");
        const focused = boxes.indexOf(/** @type {TextBox} */ (findFocused(list)));
        const count = Math.max(2, given.length, focused + 1);
        while (boxes.length < count) addChoice();
        for (const box of boxes.slice(count)) box.remove();
        boxes = boxes.slice(0, count);
        for (const [place, box] of boxes.entries()) {
          box.value = given[place] ?? "";
          box.grow();
        }
        question.pick(model.get("question"));
        options(
          language,
          languages.map((code) => [code, languageName(code)]),
          model.get("language"),
        );
        showLanguage();
      },
    };
  });
}

export default { render };
