// The widget that shows hidden states.

import { element } from "../../xlmrxl/views/dom.js";
import { COMMAS, field, findFocused, options, splitTexts, textBox, widget } from "./parts.js";
import { plotter, stateSlider } from "./plot.js";

/** @import { Mounted, StatesTraits } from "./traits" */

/** @param {Mounted<StatesTraits>} mounted */
function render({ model, el }) {
  return widget({ model, el }, (ask) => {
    const texts = textBox(() => ask(), { placeholder: "The dog sleeps in the garden.", class: "x-sentence-box" });
    const view = element("select", { change: () => ask({ view: view.value }) });
    const which = element("select", { change: () => ask({ text_index: Number(which.value), position: null }) });
    const beside = element("select", { change: () => ask({ other_index: Number(beside.value) }) });
    const token = element("select", {
      change: () => ask({ position: token.value === "" ? null : Number(token.value) }),
    });
    const unit = element("select", { change: () => ask({ unit: unit.value }) });
    const targets = element("input", {
      type: "text",
      dir: "auto",
      placeholder: "dog, cat",
      change: () => ask({ targets: splitTexts(targets.value, COMMAS) }),
    });
    const mean = element("input", { type: "checkbox", change: () => ask({ remove_mean: mean.checked }) });
    const controls = {
      state: stateSlider(slide),
      text_index: field("Text", which),
      other_index: field("Aligned with", beside),
      position: field("Token", token),
      unit: field("Points", unit),
      targets: field("Words, with commas between them", targets, "x-grow"),
      remove_mean: element("label", { class: "x-check" }, mean, "without the mean"),
    };
    const what = element("p", { class: "x-note" });
    const plot = plotter({ model, el, name: () => `hidden-states-${model.get("view")}` });
    const body = element(
      "div",
      {},
      element("div", { class: "x-fields" }, field("View", view), ...Object.values(controls)),
      what,
      ...plot.nodes,
    );

    /** Show a state: the points of a projection move by themselves; any other figure of a state is another one. @param {number} state */
    function slide(state) {
      if (plot.steps()) {
        model.set("state", state);
        model.save_changes();
      } else {
        ask({ state });
      }
      follow();
    }

    function follow() {
      const state = model.get("state");
      controls.state.at(state, model.get("found").layers);
      plot.show(state);
    }

    return {
      verb: "Look inside",
      doing: "Reading",
      hint: "Write a text, or several that say the same in different languages, and press Enter.",
      form: [field("Texts, one a line (Shift and Enter begin another)", texts, "x-wide")],
      question: () => ({ texts: splitTexts(texts.value, "\n") }),
      fill() {
        texts.value = model.get("texts").join("\n");
        texts.grow();
      },
      answer() {
        const found = model.get("found");
        if (!found?.view) return null;
        options(view, found.views, found.view);
        options(
          which,
          found.names.map((name, place) => [String(place), name]),
          String(model.get("text_index")),
        );
        options(
          beside,
          found.names.map((name, place) => [String(place), name]),
          String(model.get("other_index")),
        );
        const pieces = found.tokens[Math.min(model.get("text_index"), found.tokens.length - 1)];
        /** @type {[string, string][]} */
        const tokens = pieces.map((piece, place) => [String(place), `${place}  ${piece}`]);
        options(token, [["", "all, or the masks"], ...tokens], String(model.get("position") ?? ""));
        const chosen = model.get("unit");
        options(
          unit,
          found.units.map((name) => [name, name]),
          found.units.includes(chosen) ? chosen : found.units[0],
        );
        if (findFocused(targets) !== targets) targets.value = model.get("targets").join(", ");
        mean.checked = model.get("remove_mean");
        for (const [name, node] of Object.entries(controls)) node.hidden = !found.uses.includes(name);
        if (found.names.length < 2) controls.text_index.hidden = true;
        what.textContent = found.what;
        follow();
        plot.draw(found.figure);
        return [body];
      },
      extra: ["view", "position", "unit", "text_index", "other_index", "remove_mean", "targets"],
      also: { state: follow },
      end: plot.end,
    };
  });
}

export default { render };
