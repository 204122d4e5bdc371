// The interface in another language. Texts are English in the code; on the page the English of a text node, or of an
// attribute, is the key to its translation, as in gettext. What is written by people or by the model is left alone: see
// LEFT. Only text nodes, attributes and the box of a Gradio dropdown are written, never HTML, and what stood there is
// remembered, so that every language, English too, is there at once.
{
  const ATTRIBUTES = ["title", "placeholder", "aria-label", "data-title"];
  const LEFT =
    "script, style, svg, canvas, textarea, code, mark, bdi, [translate=no], [contenteditable], .x-sentence, .x-text, .api-docs";
  const PLACE = /\{(#?)(\d*)\}/g;
  const RIGHT_TO_LEFT = ["ar"];
  // In a line that goes from right to left: what has to keep its own order, such as <mask>, a command or −0.3.
  const LATIN =
    /(?:<\/?|[−+±])?[\p{Script=Latin}\dΣ‖](?:[\p{Script=Latin}\p{N}\s<>/=.,|:%×·→−–+‖ᵢⱼ₊₋-]|\([\p{Script=Latin}ᵢⱼ]+\))*[\p{Script=Latin}\p{N}>%‖|ᵢⱼ]|[<−+±][\d.,]+%?/gu;
  const ARABIC = /[\p{Script=Arabic}\p{Script=Hebrew}]/u;
  const LONGEST = 2_000; // characters of what may be a text of the interface
  const KEPT = 4_000; // translations at hand

  const catalogues = {}; // by language, { exact: texts by key, patterns: those with places }
  const found = new Map(); // by English text, its translation or null
  const places = new WeakMap(); // by node, by attribute: { source, shown }
  let language = "en";
  let wanted = "en";
  let observer = null;

  /** A key with places as the literal parts around them, and the places: {} and {0} take anything, {#} and {#0} what has
   * a digit and no words. */
  function pattern(key, text) {
    const parts = key.split(PLACE).filter((_, i) => i % 3 === 0);
    const taken = [...key.matchAll(PLACE)].map(([, sign, number]) => ({ number: Number(number || 0), counts: sign === "#" }));
    return { parts, taken, text, length: parts.join("").length };
  }

  const isolated = (text) => text.replace(LATIN, (run) => (run.length > 1 ? `\u2066${run}\u2069` : run));

  async function load(code) {
    const address = new URL(`${window.xlmrxlTranslations}/${code}.json`, document.baseURI);
    const answer = await fetch(address);
    if (!answer.ok) throw new Error(`${answer.status}`);
    const texts = Object.entries(await answer.json());
    const entries = RIGHT_TO_LEFT.includes(code) ? texts.map(([key, text]) => [key, isolated(text)]) : texts;
    const isPattern = ([key]) => key.search(PLACE) >= 0;
    const patterns = entries.filter(isPattern).map(([key, text]) => pattern(key, text));
    patterns.sort((a, b) => b.length - a.length); // the one that says most is meant
    return { exact: new Map(entries.filter((entry) => !isPattern(entry))), patterns };
  }

  /** What stands in the places of a pattern, or null; in one pass, whatever the text. */
  function matched(text, { parts, taken }) {
    const last = parts.length - 1;
    if (!text.startsWith(parts[0]) || !text.endsWith(parts[last])) return null;
    const end = text.length - parts[last].length;
    const values = [];
    let from = parts[0].length;
    for (let place = 1; place <= last; place++) {
      const to = place === last ? end : text.indexOf(parts[place], from + 1);
      if (to <= from || to > end) return null;
      const { number, counts } = taken[place - 1];
      values[number] = text.slice(from, to);
      if (counts && !/^(?=.*\d)(?!.*\p{L}{2})/u.test(values[number])) return null;
      from = to + parts[place].length;
    }
    return values;
  }

  /** A text as the catalogue has it, as a whole. */
  function whole(text) {
    const { exact, patterns } = catalogues[language];
    if (exact.has(text)) return exact.get(text);
    for (const each of patterns) {
      const values = matched(text, each);
      if (!values) continue;
      // {0!} is for what is a text of the interface itself.
      return each.text.replace(/\{(\d*)(!?)\}/g, (_, number, again) => {
        const value = values[Number(number || 0)];
        const shown = again ? translated(value) : value;
        return RIGHT_TO_LEFT.includes(language) ? `\u2068${shown}\u2069` : shown;
      });
    }
    return null;
  }

  /** Several sentences in one text, each by itself: null unless all of them are known. */
  function sentences(text) {
    const pieces = text.split(/(?<=[.;:?!…])\s+/);
    const shown = [];
    for (let from = 0; from < pieces.length; ) {
      let to = from === 0 ? pieces.length - 1 : pieces.length;
      let best = null;
      while (to > from && (best = whole(pieces.slice(from, to).join(" "))) === null) to--;
      if (best === null) return null;
      shown.push(best);
      from = to;
    }
    return shown.join(language === "zh" ? "" : " ");
  }

  function translated(text) {
    if (language === "en" || text.length > LONGEST || !/[\p{L}\d→]/u.test(text)) return text;
    if (RIGHT_TO_LEFT.includes(language) && text.trim() === "→") return text.replace("→", "←");
    const [, before, words, after] = text.match(/^(\s*)([^]*?)(\s*)$/);
    const key = words.replace(/\s+/g, " ");
    if (!found.has(key)) {
      if (found.size > KEPT) found.clear();
      found.set(key, whole(key) ?? sentences(key));
    }
    const shown = found.get(key) ?? (RIGHT_TO_LEFT.includes(language) && !ARABIC.test(key) ? isolated(key) : key);
    return before + shown + after;
  }

  /** Has a place (a text node, or an attribute of an element) show the language; what it shows now is `now`. */
  function show(node, place, now, put) {
    if (now === null || now === "") return;
    if (!places.has(node)) places.set(node, {});
    const held = places.get(node);
    const source = held[place]?.shown === now ? held[place].source : now;
    const shown = translated(source);
    held[place] = { source, shown };
    if (shown !== now) put(shown);
  }

  const showText = (node) => show(node, "text", node.data, (text) => (node.data = text));
  const showAttribute = (node, name) => show(node, name, node.getAttribute(name), (text) => node.setAttribute(name, text));

  /** The box of a Gradio dropdown is an input with the name of what is chosen: it shows the translation, and those who
   * read or set its value, as Gradio does, have the English. */
  function showChoice(input) {
    const { get, set } = Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, "value");
    const render = () => show(input, "value", get.call(input), (text) => set.call(input, text));
    if (!Object.hasOwn(input, "value")) {
      Object.defineProperty(input, "value", {
        configurable: true,
        get() {
          const now = get.call(input);
          const { source, shown } = places.get(input)?.value ?? {};
          return shown === now ? source : now;
        },
        set(value) {
          set.call(input, value);
          render();
        },
      });
    }
    render();
  }

  function showAttributes(element) {
    for (const name of ATTRIBUTES) if (element.hasAttribute(name)) showAttribute(element, name);
    if (element.matches("input[role=combobox]")) showChoice(element);
  }

  function walk(node) {
    if (node.nodeType === Node.TEXT_NODE) return showText(node);
    if (node.nodeType === Node.ELEMENT_NODE) {
      if (node.matches(LEFT)) return node.matches("textarea:not([translate=no])") && showAttributes(node);
      showAttributes(node);
      if (node.shadowRoot) {
        observe(node.shadowRoot);
        walk(node.shadowRoot);
      }
    } else if (node.nodeType !== Node.DOCUMENT_FRAGMENT_NODE) return;
    for (const child of node.childNodes) walk(child);
  }

  function observe(root) {
    const what = { subtree: true, childList: true, characterData: true, attributes: true, attributeFilter: ATTRIBUTES };
    observer.observe(root, what);
  }

  /** Whether a node stands inside something that is left alone; a text area's own attributes do not. */
  function isLeft(node) {
    const within = node.nodeType === Node.ELEMENT_NODE && !node.matches("textarea") ? node : node.parentElement;
    return Boolean(within?.closest(LEFT));
  }

  function changed(records) {
    for (const { type, target, addedNodes, attributeName } of records) {
      if (target instanceof SVGElement || isLeft(target)) continue;
      if (type === "attributes") showAttribute(target, attributeName);
      else if (type === "characterData") showText(target);
      else if (!target.matches?.(LEFT)) for (const node of addedNodes) if (node.isConnected) walk(node);
    }
    observer.takeRecords(); // of what was written here
  }

  window.xlmrxlLanguage = {
    get now() {
      return language;
    },

    /** Has the page speak a language; it stays as it is if the texts cannot be fetched, or if another is wanted since. */
    async choose(code) {
      wanted = code;
      if (code !== "en") {
        try {
          catalogues[code] ??= await load(code);
        } catch (error) {
          console.warn(`No texts in ${code}:`, error);
          return;
        }
      }
      if (wanted !== code) return;
      language = code;
      found.clear();
      document.documentElement.lang = code;
      document.documentElement.dir = RIGHT_TO_LEFT.includes(code) ? "rtl" : "ltr";
      if (!observer) {
        if (code === "en") return;
        observer = new MutationObserver(changed);
        observe(document.documentElement);
      }
      walk(document.documentElement);
      observer.takeRecords();
      window.dispatchEvent(new Event("resize")); // words of another length: tabs are laid out anew
    },
  };
}
