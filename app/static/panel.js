// The panels of results and examples: what their buttons do, the line that tells about what is pointed at, and arrow keys.

import { closest, findStatus, messageOf, saveFile } from "./files.js";

/** @import { GradioHtml } from "./page" */

/**
 * The place among `count` buttons that a key moves to, or undefined where it moves nowhere.
 *
 * @param {string} key
 * @param {number} place that has the focus
 * @param {number} count
 * @param {boolean} isRightToLeft
 */
export function movePlace(key, place, count, isRightToLeft) {
  const [forward, backward] = isRightToLeft ? ["ArrowLeft", "ArrowRight"] : ["ArrowRight", "ArrowLeft"];
  /** @type {Record<string, number>} */
  const places = {
    [forward]: place + 1,
    ArrowDown: place + 1,
    [backward]: place - 1,
    ArrowUp: place - 1,
    Home: 0,
    End: count - 1,
  };
  const moved = places[key];
  return place >= 0 && moved >= 0 && moved < count ? moved : undefined;
}

/**
 * Mount a panel in Gradio's element.
 *
 * @param {GradioHtml<string, { save?: (packet: [kind: string, about: unknown]) => Promise<{ text?: string, error?: string }> }>} gradio
 */
export function mountPanel({ element, trigger, server, watch }) {
  /** Tell about what is pointed at or has the focus. @param {Event} event */
  function showTip({ type, target }) {
    const line = /** @type {HTMLElement | null} */ (element.querySelector(".x-readout"));
    if (!line) return;
    const chip = type === "mouseleave" ? null : closest(target, "[data-tip]");
    line.textContent = (chip ? chip.dataset.tip : line.dataset.idle) ?? "";
  }

  /** Put a fill in the place of its mask. @param {string | number} mask @param {string} text */
  function putFill(mask, text) {
    const place = element.querySelector(`mark[data-mark="${mask}"] bdi`);
    if (place) place.textContent = text;
  }

  /** @param {HTMLElement} button in a table of fills */
  function press(button) {
    for (const other of button.closest("table")?.querySelectorAll("button") ?? []) {
      other.setAttribute("aria-pressed", String(other === button));
    }
  }

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

  for (const type of ["mouseover", "focusin"]) element.addEventListener(type, showTip);
  element.addEventListener("mouseleave", showTip);

  element.addEventListener("click", ({ target }) => {
    const button = closest(target, "button");
    if (!button) return;
    const { file, index, start, end, goto, fill, mark, way, layers } = button.dataset;
    if (file !== undefined) {
      save(button);
    } else if (index !== undefined) {
      trigger("select", { index: Number(index) });
    } else if (start !== undefined) {
      const { text } = /** @type {HTMLElement} */ (element.querySelector(".x-result")).dataset;
      trigger("select", { text, start: Number(start), end: Number(end) });
    } else if (goto !== undefined) {
      const fills = element.querySelector(`#mask-${goto}`) ?? element.querySelector("#ways");
      fills?.scrollIntoView({ block: "nearest" });
      /** @type {HTMLElement | null | undefined} */ (fills?.querySelector("tbody button"))?.focus();
    } else if (fill !== undefined) {
      putFill(mark ?? "", fill);
      press(button);
    } else if (way !== undefined) {
      for (const [place, text] of JSON.parse(way).entries()) putFill(place + 1, text);
      press(button);
    } else if (layers !== undefined) {
      trigger("select", { text: layers, shown: button.getAttribute("aria-expanded") === "true" });
    }
  });

  // Arrow keys move inside a group, so that Tab passes a long sentence in one step.
  element.addEventListener("keydown", (event) => {
    const group = closest(event.target, "[data-roving]");
    if (!group) return;
    const buttons = [...group.querySelectorAll("button")];
    const place = buttons.indexOf(/** @type {HTMLButtonElement} */ (document.activeElement));
    const moved = movePlace(event.key, place, buttons.length, getComputedStyle(group).direction === "rtl");
    if (moved === undefined) return;
    event.preventDefault();
    buttons[place].tabIndex = -1;
    buttons[moved].tabIndex = 0;
    buttons[moved].focus();
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
