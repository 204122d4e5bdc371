// The widget that shows a result as a figure.

import { element } from "../../xlmrxl/views/dom.js";
import { keepKeys, showTheme } from "./parts.js";
import { plotter, stateSlider } from "./plot.js";

/** @import { Mounted, ResultViewTraits } from "./traits" */

/** @param {Mounted<ResultViewTraits>} mounted */
function render({ model, el }) {
  const root = element("section", { class: "xlmrxl" });
  keepKeys(root);
  const stopTheme = showTheme(root, el);
  const slider = stateSlider((state) => {
    model.set("state", state);
    model.save_changes();
    follow();
  });
  const plot = plotter({ model, el, name: () => model.get("name"), onDraw: follow });

  function follow() {
    const steps = plot.steps();
    slider.hidden = !steps;
    if (!steps) return;
    slider.at(model.get("state"), Number(steps[steps.length - 1].label));
    plot.show(model.get("state"));
  }

  const draw = () => plot.draw(model.get("drawn"));
  model.on("change:drawn", draw);
  model.on("change:state", follow);
  root.append(slider, ...plot.nodes);
  slider.hidden = true;
  el.append(root);
  draw();
  return () => {
    model.off("change:drawn", draw);
    model.off("change:state", follow);
    plot.end();
    stopTheme();
  };
}

export default { render };
