// @ts-nocheck: not typed yet
import { element, own } from "../../xlmrxl/views/dom.js";
import { formatDecimal, formatPercent } from "../../xlmrxl/views/numbers.js";
import {
  axisEnd,
  bar,
  COMMAS,
  field,
  heading,
  languageName,
  options,
  roving,
  textBox,
  ticks,
  unseen,
  widget,
} from "./parts.js";

const IDLE = "Each word was left out in turn. Point at one to see how much lower the label is without it.";

function render({ model, el }) {
  return widget({ model, el }, (ask) => {
    const { tasks, pairs } = model.get("form");
    const asks = Object.keys(tasks).length > 0; // others have their own labels
    const text = textBox(ask, {
      placeholder: "The striker scored twice in the last ten minutes.",
      class: "x-sentence-box",
    });
    const second = textBox(ask);
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
    const labels = textBox(ask);
    const labelsField = field("Labels of your own, with commas between them", labels, "x-wide");

    const readsPairs = () => (asks ? pairs.includes(task.value) : pairs);
    const missesPair = () => asks && readsPairs() && !second.value.trim();
    function showTask() {
      secondField.hidden = !readsPairs() && !model.get("second");
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
      const names = labels.value
        .split(COMMAS)
        .map((name) => name.trim())
        .filter((name) => name);
      const before = Array.isArray(given) ? given : Object.keys(given);
      return names.join("\n") === before.join("\n") ? given : names;
    }

    function answer(found) {
      const regression = found.kind === "regression";
      const value = (score) => (regression ? formatDecimal(score, 3) : formatPercent(score));
      const best = found.labels[0];
      return [
        unseen(`Classified. ${best.label}: ${value(best.score)}`, { role: "status" }),
        element(
          "div",
          { class: "x-fills x-labels" },
          heading("Labels", found.tokens ? `${found.tokens} tokens read` : ""),
          labelTable(found, regression, value),
          ...notes(found),
        ),
        found.why ? why(found.why, regression) : null,
      ].filter((node) => node);
    }

    function labelTable(found, regression, value) {
      const axis = axisEnd(found.labels.map((label) => label.score));
      const raws = { cloze: "raw", head: "logit" }[found.method];
      const single = found.pair === undefined;
      const rows = found.labels.map((label) => {
        const name = own(label.label);
        const button = element(
          "button",
          {
            type: "button",
            title: `Which words made it ${label.label}?`,
            "aria-pressed": String(model.get("explained") === label.label),
            click: () => ask({ explained: label.label }),
          },
          name,
        );
        const cells = [element("th", { scope: "row" }, single ? button : name)];
        if (!regression) {
          const pale = found.method === "cloze" ? bar(label.raw, axis, "x-raw") : null;
          cells.push(element("td", { class: "x-bar", "aria-hidden": "true" }, bar(label.score, axis), pale));
        }
        cells.push(element("td", { class: "x-percent" }, value(label.score)));
        if (raws && !regression) {
          const raw = found.method === "cloze" ? formatPercent(label.raw) : formatDecimal(label.raw, 2);
          cells.push(element("td", { class: "x-percent x-pale" }, raw));
        }
        return element("tr", {}, ...cells);
      });
      const head = [
        element("th", { scope: "col" }, unseen("Label")),
        regression ? null : ticks(axis),
        element("th", { scope: "col" }, unseen(regression ? "Value" : "Probability")),
        raws && !regression ? element("th", { scope: "col" }, raws) : null,
      ];
      return element(
        "table",
        {},
        element("caption", { class: "x-unseen" }, "Labels and their probabilities"),
        element("thead", {}, element("tr", {}, ...head)),
        roving(element("tbody", {}, ...rows)),
      );
    }

    function notes(found) {
      const said = [];
      if (found.truncated) said.push("The text is longer than the model reads: only its beginning was classified.");
      if (found.method === "cloze") {
        said.push(
          "The thick bar is the probability without what the model gives a label whatever the text says; the " +
            "thin one, raw, is the probability before that is taken off.",
        );
      } else if (found.kind === "multi") {
        said.push("Each label stands alone: a text may have several, or none.");
      } else if (found.kind === "regression") {
        said.push("The model was fine-tuned for values, not for probabilities.");
      }
      const nodes = said.map((note) => element("p", { class: "x-note" }, note));
      if (found.pair === undefined && !found.why) {
        nodes.push(
          element(
            "button",
            { type: "button", class: "x-action", click: () => ask({ explained: found.labels[0].label }) },
            "Which words made it so",
          ),
        );
      }
      return nodes;
    }

    function why(found, regression) {
      const value = (number) =>
        regression ? formatDecimal(number, 3, true) : `${formatDecimal(100 * number, 1, true)} points`;
      const words = found.words.filter((word) => word.value !== undefined);
      const strongest = Math.max(...words.map((word) => Math.abs(word.value)));
      const readout = element("p", { class: "x-readout", "aria-hidden": "true" }, IDLE);
      const nodes = found.words.map((word) => {
        if (word.value === undefined) return word.text;
        const node = element(
          "span",
          {
            class: word.value < 0 ? "x-against" : "x-for",
            mouseenter: () => {
              readout.textContent = `${word.text} ${value(word.value)}`;
            },
          },
          word.text,
        );
        node.style.setProperty("--x-share", strongest ? (Math.abs(word.value) / strongest).toFixed(3) : "0");
        return node;
      });
      const most = [...words].sort((a, b) => Math.abs(b.value) - Math.abs(a.value)).slice(0, 5);
      const sample = (side, sign, meaning) => {
        const mark = element("b", { class: side }, value(sign * strongest));
        mark.style.setProperty("--x-share", "1");
        return element("span", {}, mark, ` ${meaning}`);
      };
      return element(
        "div",
        { class: "x-why" },
        unseen(`The strongest words: ${most.map((word) => `${word.text} ${value(word.value)}`).join("; ")}`, {
          role: "status",
        }),
        element(
          "h4",
          {},
          element("div", {}, "Which words made it ", element("b", {}, own(found.label))),
          element("span", {}, regression ? formatDecimal(found.score, 3) : formatPercent(found.score)),
        ),
        element(
          "p",
          {
            class: "x-sentence x-words",
            dir: "auto",
            mouseleave: () => {
              readout.textContent = IDLE;
            },
          },
          ...nodes,
        ),
        element(
          "p",
          { class: "x-legend" },
          sample("x-against", -1, "speaks against"),
          sample("x-for", 1, "speaks for"),
        ),
        readout,
      );
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
        const asked = { text: text.value, second: secondField.hidden ? "" : second.value };
        if (asks) Object.assign(asked, { task: task.value, language: language.value, labels: ownLabels() });
        // The words belong to one text: another one has to be asked about anew.
        const kept = asked.text === model.get("text") && asked.second === model.get("second");
        return { ...asked, explained: kept ? model.get("explained") : "" };
      },
      fill() {
        text.value = model.get("text");
        text.grow();
        second.value = model.get("second");
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
      answer,
      extra: ["explained"],
    };
  });
}

export default { render };
