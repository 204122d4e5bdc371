// What a person takes away from the page: files to keep, and texts and links for the clipboard.

import { closest } from "../../xlmrxl/rendering/interaction.js";

/** Give a file to the person in front of the page. @param {Blob} blob @param {string} name */
export function saveFile(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

/**
 * Copy a text. Where the clipboard is not allowed, as on an unencrypted page of another machine, the old command does it.
 *
 * @param {string} text
 */
export async function copyText(text) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    const box = document.createElement("textarea");
    box.value = text;
    box.setAttribute("readonly", "");
    document.body.append(box);
    box.select();
    const done = document.execCommand("copy");
    box.remove();
    if (!done) throw new Error("This browser does not let the page copy: select the text and copy it by hand.");
  }
}

/**
 * Have the buttons under every result copy their text or the link of their tab: see `render.render_actions`.
 *
 * @param {(tab: string) => string} getLink
 */
export function listenForCopying(getLink) {
  document.addEventListener("click", async ({ target }) => {
    const button = closest(target, ".x-actions [data-copy], .x-actions [data-link]");
    if (!button) return;
    const status = findStatus(button.closest(".x-actions"));
    const { copy: text, link: tab, said = "" } = button.dataset;
    try {
      await copyText(text ?? getLink(tab ?? ""));
      status.textContent = said;
    } catch (error) {
      status.textContent = messageOf(error);
    }
  });
}

/** Return the line in which an element says what it has done. @param {ParentNode | null} element */
export function findStatus(element) {
  return /** @type {HTMLElement} */ (element?.querySelector("[role=status]"));
}

/** Return the sentence of what was thrown. @param {unknown} error */
export function messageOf(error) {
  return error instanceof Error ? error.message : String(error);
}
