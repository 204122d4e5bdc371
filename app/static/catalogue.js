// The texts of the interface in another language. Texts are English in the code, and the English is the key to its
// translation, as in gettext. Nothing here touches the page.

const PLACE = /\{(#?)(\d*)\}/g;
const SHOWN_PLACE = /\{(\d*)(!?)\}/g;
const RIGHT_TO_LEFT = ["ar"];
// In a line that goes from right to left: what has to keep its own order, such as <mask>, a command or −0.3.
const LATIN =
  /(?:<\/?|[−+±])?[\p{Script=Latin}\dΣ‖](?:[\p{Script=Latin}\p{N}\s<>/=.,|:%×·→−–+‖ᵢⱼ₊₋-]|\([\p{Script=Latin}ᵢⱼ]+\))*[\p{Script=Latin}\p{N}>%‖|ᵢⱼ]|[<−+±][\d.,]+%?/gu;
const ARABIC = /[\p{Script=Arabic}\p{Script=Hebrew}]/u;
const MAX_LENGTH = 2_000; // characters of what may be a text of the interface
const CACHED = 4_000; // translations that are remembered

/**
 * A key with places, as the literal parts around them.
 * @typedef {{ parts: string[], places: { number: number, isCount: boolean }[], text: string, length: number }} Pattern
 */

/** Return whether a language is written from right to left. @param {string} language */
export function isWrittenRightToLeft(language) {
  return RIGHT_TO_LEFT.includes(language);
}

/** Put what is Latin in a text between marks that keep its order (isolates). @param {string} text */
export function isolateLatin(text) {
  return text.replace(LATIN, (run) => (run.length > 1 ? `\u2066${run}\u2069` : run));
}

/**
 * Compile a key: its places {} and {0} take anything, {#} and {#0} what has a digit and no words.
 *
 * @param {string} key
 * @param {string} text its translation
 * @returns {Pattern}
 */
export function compilePattern(key, text) {
  const parts = key.split(PLACE).filter((_, i) => i % 3 === 0);
  const places = [...key.matchAll(PLACE)].map(([, sign, number]) => ({
    number: Number(number || 0),
    isCount: sign === "#",
  }));
  return { parts, places, text, length: parts.join("").length };
}

/**
 * Return what stands in the places of a pattern, or null where the text is not of it; in one pass, whatever the text.
 *
 * @param {string} text
 * @param {Pattern} pattern
 */
export function matchPattern(text, { parts, places }) {
  const last = parts.length - 1;
  if (!text.startsWith(parts[0]) || !text.endsWith(parts[last])) return null;
  const end = text.length - parts[last].length;
  /** @type {string[]} */
  const values = [];
  let from = parts[0].length;
  for (let place = 1; place <= last; place++) {
    const to = place === last ? end : text.indexOf(parts[place], from + 1);
    if (to <= from || to > end) return null;
    const { number, isCount } = places[place - 1];
    values[number] = text.slice(from, to);
    if (isCount && !/^(?=.*\d)(?!.*\p{L}{2})/u.test(values[number])) return null;
    from = to + parts[place].length;
  }
  return values;
}

/** The translations into one language. */
export class Catalogue {
  /**
   * @param {string} language a code, such as "fr"
   * @param {Record<string, string>} texts translations by their English
   */
  constructor(language, texts) {
    this.language = language;
    this.isRightToLeft = isWrittenRightToLeft(language);
    /** @type {Map<string, string>} */
    this.texts = new Map();
    /** @type {Pattern[]} */
    this.patterns = [];
    for (const [key, text] of Object.entries(texts)) {
      const shown = this.isRightToLeft ? isolateLatin(text) : text;
      if (key.search(PLACE) < 0) this.texts.set(key, shown);
      else this.patterns.push(compilePattern(key, shown));
    }
    this.patterns.sort((a, b) => b.length - a.length); // the one that says most is meant
    /** @type {Map<string, string | null>} */
    this.cache = new Map();
  }

  /** Return a text in the language, or as it is where it is no text of the interface. @param {string} text @returns {string} */
  translate(text) {
    if (text.length > MAX_LENGTH || !/[\p{L}\d→]/u.test(text)) return text;
    if (this.isRightToLeft && text.trim() === "→") return text.replace("→", "←");
    const words = text.trim();
    const begin = text.indexOf(words);
    const key = words.replace(/\s+/g, " ");
    let translation = this.cache.get(key);
    if (translation === undefined) {
      if (this.cache.size > CACHED) this.cache.clear();
      translation = this.#translateWhole(key) ?? this.#translateSentences(key);
      this.cache.set(key, translation);
    }
    const shown = translation ?? (this.isRightToLeft && !ARABIC.test(key) ? isolateLatin(key) : key);
    return text.slice(0, begin) + shown + text.slice(begin + words.length);
  }

  /** Translate a text that the catalogue has as a whole, or return null. @param {string} text @returns {string | null} */
  #translateWhole(text) {
    const known = this.texts.get(text);
    if (known !== undefined) return known;
    for (const pattern of this.patterns) {
      const values = matchPattern(text, pattern);
      if (!values) continue;
      // {0!} is for what is a text of the interface itself.
      return pattern.text.replace(SHOWN_PLACE, (_, number, isText) => {
        const value = values[Number(number || 0)];
        const shown = isText ? this.translate(value) : value;
        return this.isRightToLeft ? `\u2068${shown}\u2069` : shown;
      });
    }
    return null;
  }

  /** Translate several sentences, each by itself, or return null unless all of them are known. @param {string} text */
  #translateSentences(text) {
    const pieces = text.split(/(?<=[.;:?!…])\s+/);
    const shown = [];
    for (let from = 0; from < pieces.length; ) {
      let to = from === 0 ? pieces.length - 1 : pieces.length;
      let best = null;
      for (; to > from && best === null; to--) best = this.#translateWhole(pieces.slice(from, to).join(" "));
      if (best === null) return null;
      shown.push(best);
      from = to + 1;
    }
    return shown.join(this.language === "zh" ? "" : " ");
  }
}
