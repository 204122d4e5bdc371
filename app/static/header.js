// What the header does: the language of the interface, and the hint of a first visit. Gradio may draw it anew, as when the
// model is changed.

import { closest } from "../../xlmrxl/rendering/interaction.js";

/** @import { PageTranslator } from "./translate.js" */

/** What the browser keeps for the page; a browser may refuse. */
const storage = {
  /** @param {string} name */
  get(name) {
    try {
      return localStorage.getItem(`xlmrxl-${name}`);
    } catch {
      return null;
    }
  },
  /** @param {string} name @param {string} value */
  set(name, value) {
    try {
      localStorage.setItem(`xlmrxl-${name}`, value);
    } catch {
      // Then it is for this visit.
    }
  },
};

/**
 * Return the first of the wanted languages that there is: of zh-Hant-TW, zh; English where there is none.
 *
 * @param {readonly (string | null)[]} wanted tags such as those of `navigator.languages`
 * @param {readonly string[]} languages
 */
export function chooseLanguage(wanted, languages) {
  const codes = wanted.map((tag) => (tag ?? "").toLowerCase().split(/[-_]/)[0]);
  return codes.find((code) => languages.includes(code)) ?? "en";
}

/**
 * Have the header choose the language, and show the hint once.
 *
 * @param {PageTranslator} translator
 * @param {string[]} languages codes of those that the interface has
 * @param {boolean} opensLink whether the page was opened by a link, which is followed for what it opens
 */
export function startHeader(translator, languages, opensLink) {
  const parameters = new URLSearchParams(location.search);
  let showsHint = !opensLink && storage.get("visited") === null;
  if (showsHint) storage.set("visited", "1");

  /** @param {HTMLElement} header */
  function update(header) {
    const select = /** @type {HTMLSelectElement | null} */ (header.querySelector(".x-language select"));
    if (select) select.value = translator.language;
    const hint = /** @type {HTMLElement | null} */ (header.querySelector("[role=note]"));
    if (hint) hint.hidden = !showsHint;
  }

  /** @param {string} language */
  async function setLanguage(language) {
    await translator.setLanguage(language);
    const header = document.getElementById("header");
    if (header) update(header);
  }

  document.addEventListener("change", ({ target }) => {
    if (!(target instanceof HTMLSelectElement && target.matches("#header .x-language select"))) return;
    storage.set("language", target.value);
    if (parameters.has("lang")) {
      const page = new URL(location.href);
      page.searchParams.set("lang", target.value);
      history.replaceState(history.state, "", page);
    }
    setLanguage(target.value);
  });
  document.addEventListener("click", ({ target }) => {
    const note = /** @type {HTMLElement | null | undefined} */ (
      closest(target, "#header [role=note] button")?.closest("[role=note]")
    );
    if (!note) return;
    showsHint = false;
    note.hidden = true;
    const tab = /** @type {HTMLElement | null} */ (document.querySelector("[role=tab][aria-selected=true]"));
    tab?.focus(); // where the reader goes on
  });

  new MutationObserver((_, observer) => {
    const header = document.getElementById("header");
    if (!header) return;
    observer.disconnect();
    update(header);
    new MutationObserver(() => update(header)).observe(header, { childList: true, subtree: true });
  }).observe(document.documentElement, { childList: true, subtree: true });
  setLanguage(chooseLanguage([parameters.get("lang"), storage.get("language"), ...navigator.languages], languages));
}
