// The page in another language. What is written by people or by the model is left alone: see UNTRANSLATED. Only text nodes,
// attributes and the box of a Gradio dropdown are written, never HTML, and what stood there is remembered, so that every
// language, English too, is there at once.

import { Catalogue, isWrittenRightToLeft } from "./catalogue.js";

const ATTRIBUTES = ["title", "placeholder", "aria-label", "data-title"];
const UNTRANSLATED =
  "script, style, svg, canvas, textarea, code, mark, bdi, [translate=no], [contenteditable], .x-sentence, .x-text, .api-docs";

/**
 * What stands in a text node, an attribute or a box: the English, and what is shown in its place.
 * @typedef {{ source: string, shown: string }} Shown
 */

/** Shows the page in one language after another. */
export class PageTranslator {
  /** @param {string} folder the address of the catalogues */
  constructor(folder) {
    this.folder = folder;
    this.language = "en";
    this.wanted = "en";
    /** @type {Map<string, Catalogue>} by language */
    this.catalogues = new Map();
    /** @type {WeakMap<Node, Record<string, Shown>>} by node and by the name of the place in it */
    this.places = new WeakMap();
    /** @type {MutationObserver | null} */
    this.observer = null;
  }

  /**
   * Show the page in a language. It stays as it is if the texts cannot be fetched, or if another is wanted since.
   *
   * @param {string} language
   */
  async setLanguage(language) {
    this.wanted = language;
    if (language !== "en" && !this.catalogues.has(language)) {
      try {
        this.catalogues.set(language, await this.#fetchCatalogue(language));
      } catch (error) {
        console.warn(`No texts in ${language}:`, error);
        return;
      }
    }
    if (this.wanted !== language) return;
    this.language = language;
    const root = document.documentElement;
    root.lang = language;
    root.dir = isWrittenRightToLeft(language) ? "rtl" : "ltr";
    if (!this.observer) {
      if (language === "en") return;
      this.observer = new MutationObserver((records) => this.#translateChanges(records));
      this.#observe(root);
    }
    this.#translateTree(root);
    this.observer.takeRecords();
    window.dispatchEvent(new Event("resize")); // words of another length: tabs are laid out anew
  }

  /** @param {string} language */
  async #fetchCatalogue(language) {
    const answer = await fetch(new URL(`${this.folder}/${language}.json`, document.baseURI));
    if (!answer.ok) throw new Error(`${answer.status}`);
    return new Catalogue(language, await answer.json());
  }

  /**
   * Have a place show the language.
   *
   * @param {Node} node
   * @param {string} place the name of an attribute, or "text" or "value"
   * @param {string | null} current what it shows
   * @param {(text: string) => void} write
   */
  #show(node, place, current, write) {
    if (current === null || current === "") return;
    const known = this.places.get(node) ?? {};
    this.places.set(node, known);
    const source = known[place]?.shown === current ? known[place].source : current;
    const shown = this.catalogues.get(this.language)?.translate(source) ?? source;
    known[place] = { source, shown };
    if (shown !== current) write(shown);
  }

  /** @param {Text} node */
  #showText(node) {
    this.#show(node, "text", node.data, (text) => {
      node.data = text;
    });
  }

  /** @param {Element} element @param {string} name */
  #showAttribute(element, name) {
    this.#show(element, name, element.getAttribute(name), (text) => element.setAttribute(name, text));
  }

  /**
   * Have the box of a Gradio dropdown, an input with the name of what is chosen, show the translation, while those who read
   * or set its value, as Gradio does, have the English.
   *
   * @param {HTMLInputElement} input
   */
  #showChoice(input) {
    const value = /** @type {{ get(): string, set(text: string): void }} */ (
      Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, "value")
    );
    const show = () => this.#show(input, "value", value.get.call(input), (text) => value.set.call(input, text));
    if (!Object.hasOwn(input, "value")) {
      const { places } = this;
      Object.defineProperty(input, "value", {
        configurable: true,
        get() {
          const current = value.get.call(input);
          const known = places.get(input)?.value;
          return known?.shown === current ? known.source : current;
        },
        set(text) {
          value.set.call(input, text);
          show();
        },
      });
    }
    show();
  }

  /** @param {Element} element */
  #showAttributes(element) {
    for (const name of ATTRIBUTES) if (element.hasAttribute(name)) this.#showAttribute(element, name);
    if (element instanceof HTMLInputElement && element.matches("[role=combobox]")) this.#showChoice(element);
  }

  /** Translate a node and all below it. @param {Node} node */
  #translateTree(node) {
    if (node instanceof Text) {
      this.#showText(node);
      return;
    }
    if (node instanceof Element) {
      if (node.matches(UNTRANSLATED)) {
        if (node.matches("textarea:not([translate=no])")) this.#showAttributes(node);
        return;
      }
      this.#showAttributes(node);
      if (node.shadowRoot) {
        this.#observe(node.shadowRoot);
        this.#translateTree(node.shadowRoot);
      }
    } else if (!(node instanceof DocumentFragment)) {
      return;
    }
    for (const child of node.childNodes) this.#translateTree(child);
  }

  /** @param {Node} root */
  #observe(root) {
    const what = { subtree: true, childList: true, characterData: true, attributes: true, attributeFilter: ATTRIBUTES };
    this.observer?.observe(root, what);
  }

  /** @param {MutationRecord[]} records */
  #translateChanges(records) {
    for (const { type, target, addedNodes, attributeName } of records) {
      if (target instanceof SVGElement || isUntranslated(target)) continue;
      if (type === "attributes") this.#showAttribute(/** @type {Element} */ (target), attributeName ?? "");
      else if (type === "characterData") this.#showText(/** @type {Text} */ (target));
      else if (!(target instanceof Element && target.matches(UNTRANSLATED))) {
        for (const node of addedNodes) if (node.isConnected) this.#translateTree(node);
      }
    }
    this.observer?.takeRecords(); // of what was written here
  }
}

/** Return whether a node stands inside something that is left alone; a text area's own attributes do not. @param {Node} node */
function isUntranslated(node) {
  const within = node instanceof Element && !node.matches("textarea") ? node : node.parentElement;
  return Boolean(within?.closest(UNTRANSLATED));
}
