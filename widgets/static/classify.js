// The widget that classifies texts.

import { element } from "../../xlmrxl/views/dom.js";
import { COMMAS, field, languageName, options, splitTexts, textBox, widget } from "./parts.js";

/** @import { ClassifyTraits, Mounted } from "./traits" */

/** @param {Mounted<ClassifyTraits>} mounted */
function render({ model, el }) {
  return widget({ model, el }, (ask) => {
    const { tasks, pairs } = model.get("form");
    const asks = Object.keys(tasks).length > 0; // others have their own labels
    const text = textBox(() => ask(), {
      placeholder: "The striker scored twice in the last ten minutes.",
      class: "x-sentence-box",
    });
    const second = textBox(() => ask());
    const secondField = field(
      asks ? "Does this follow from it?" : "Second text, if the model reads pairs",
      second,
      "x-wide",
    );
    const task = element("select", {
      change: () => {
        showTask();
        if (!missesPair()) ask({ explained: "" });
      },
    });
    const language = element("select", {
      change: () => {
        showTask();
        ask({ explained: "" });
      },
    });
    const labels = textBox(() => ask());
    const labelsField = field("Labels of your own, with commas between them", labels, "x-wide");

    const readsPairs = () => (Array.isArray(pairs) && asks ? pairs.includes(task.value) : Boolean(pairs));
    const missesPair = () => asks && readsPairs() && !second.value.trim();
    function showTask() {
      secondField.hidden = !readsPairs() && !model.get("text_pair");
      if (!asks) return;
      const known = tasks[task.value] || {};
      const code = language.value || model.get("language");
      options(
        language,
        Object.keys(known).map((each) => [each, languageName(each)]),
        code in known ? code : "en",
      );
      labels.placeholder = (known[language.value] || []).join(", ");
      labels.grow();
    }

    /** Labels as they are in Python: as long as nobody edits them, a dict stays one. */
    function ownLabels() {
      const given = model.get("labels");
      const names = splitTexts(labels.value, COMMAS);
      const before = Array.isArray(given) ? given : Object.keys(given);
      return names.join("\n") === before.join("\n") ? given : names;
    }

    return {
      verb: "Classify",
      doing: "Classifying",
      hint: "Write a text and press Enter.",
      form: [
        field("Text", text, "x-wide"),
        secondField,
        asks
          ? element("div", { class: "x-fields" }, field("Task", task), field("Language of the text", language))
          : null,
        asks ? labelsField : null,
      ],
      question: () => {
        const asked = { text: text.value, text_pair: secondField.hidden ? "" : second.value };
        // The words belong to one text: another one has to be asked about anew.
        const isSame = asked.text === model.get("text") && asked.text_pair === model.get("text_pair");
        const question = { ...asked, explained: isSame ? model.get("explained") : "" };
        return asks ? { ...question, task: task.value, language: language.value, labels: ownLabels() } : question;
      },
      fill() {
        text.value = model.get("text");
        text.grow();
        second.value = model.get("text_pair");
        second.grow();
        const names = model.get("labels");
        labels.value = (Array.isArray(names) ? names : Object.keys(names)).join(", ");
        options(
          task,
          Object.keys(tasks).map((name) => [name, name]),
          model.get("task"),
        );
        options(language, [[model.get("language"), ""]], model.get("language"));
        showTask();
      },
      onAsk: (asked) => model.send({ type: "explain", ...asked }),
    };
  });
}

export default { render };
