// The panels of results and examples: what their buttons ask of Python, and the files of what is shown.

import { attachInteraction, closest } from "../../xlmrxl/rendering/interaction.js";
import { findStatus, messageOf, saveFile } from "./files.js";

/** @import { GradioHtml } from "./page" */

/**
 * Mount a panel in Gradio's element.
 *
 * @param {GradioHtml<string, { save?: (packet: [kind: string, about: unknown]) => Promise<{ text?: string, error?: string }> }>} gradio
 */
export function mountPanel({ element, trigger, server, watch }) {
  /** Save a file of what is shown, which is described by `data-about`. @param {HTMLElement} button */
  async function save(button) {
    const { about = "", tab = "" } = /** @type {HTMLElement} */ (button.closest(".x-actions")).dataset;
    const { file: kind = "" } = button.dataset;
    const status = findStatus(button.parentElement);
    status.textContent = `Making ${button.textContent} …`;
    try {
      const answer = await server.save?.([kind, JSON.parse(about)]);
      if (answer?.error) throw new Error(answer.error);
      saveFile(new Blob([answer?.text ?? ""]), `${tab}.${kind}`);
      status.textContent = `${button.textContent} saved.`;
    } catch (error) {
      status.textContent = messageOf(error);
    }
  }

  attachInteraction(element, (asked) => trigger("select", asked));
  element.addEventListener("click", ({ target }) => {
    const button = closest(target, "[data-file], [data-layers]");
    if (!button) return;
    const { file, layers: text } = button.dataset;
    if (file !== undefined) save(button);
    else trigger("select", { text, shown: button.getAttribute("aria-expanded") === "true" });
  });

  // On a narrow screen a new result is below the fold: bring it into view. The layers stay where they are, since the fills
  // come first; where they are wanted already their button is pressed.
  watch("value", () =>
    setTimeout(() => {
      const layers = /** @type {HTMLElement | null} */ (element.querySelector("[data-layers]"));
      if (layers?.matches("[data-now]")) layers.click();
      if (layers || !element.textContent?.trim()) return;
      if (element.getBoundingClientRect().top > window.innerHeight * 0.75) element.scrollIntoView({ block: "start" });
    }),
  );
}
