// What the header does: the language of the interface, and the hint of a first visit. Gradio may draw it anew, as when
// the model is changed.
{
  const asked = new URLSearchParams(location.search);

  /** What the browser keeps for the page; a browser may refuse. */
  const kept = {
    get(name) {
      try {
        return localStorage.getItem(`xlmrxl-${name}`);
      } catch {
        return null;
      }
    },
    set(name, value) {
      try {
        localStorage.setItem(`xlmrxl-${name}`, value);
      } catch {
        // Then it is for this visit.
      }
    },
  };

  /** The first of the wanted languages that there is: of zh-Hant-TW, zh. */
  function offered(...wanted) {
    const codes = wanted.filter(Boolean).map((tag) => tag.toLowerCase().split(/[-_]/)[0]);
    return codes.find((code) => window.xlmrxlLanguages.includes(code)) ?? "en";
  }

  // A link that opens something is followed for what it opens.
  let isFirst = !window.xlmrxl.begun && kept.get("visited") === null;
  if (isFirst) kept.set("visited", "1");

  function prepare(header) {
    const select = header.querySelector(".x-language select");
    if (select) select.value = window.xlmrxlLanguage.now;
    const hint = header.querySelector("[role=note]");
    if (hint) hint.hidden = !isFirst;
  }

  async function speak(code) {
    await window.xlmrxlLanguage.choose(code);
    const header = document.getElementById("header");
    if (header) prepare(header);
  }

  document.addEventListener("change", ({ target }) => {
    if (!target.matches?.("#header .x-language select")) return;
    kept.set("language", target.value);
    if (asked.has("lang")) {
      const page = new URL(location.href);
      page.searchParams.set("lang", target.value);
      history.replaceState(history.state, "", page);
    }
    speak(target.value);
  });
  document.addEventListener("click", ({ target }) => {
    const note = target.closest?.("#header [role=note] button")?.closest("[role=note]");
    if (!note) return;
    isFirst = false;
    note.hidden = true;
    document.querySelector("[role=tab][aria-selected=true]")?.focus(); // where the reader goes on
  });

  new MutationObserver((_, observer) => {
    const header = document.getElementById("header");
    if (!header) return;
    observer.disconnect();
    prepare(header);
    new MutationObserver(() => prepare(header)).observe(header, { childList: true, subtree: true });
  }).observe(document.documentElement, { childList: true, subtree: true });
  speak(offered(asked.get("lang"), kept.get("language"), ...navigator.languages));
}
