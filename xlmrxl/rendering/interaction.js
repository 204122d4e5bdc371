// What clicks, keys and the pointer do to the HTML of results; the markup and all of its texts come from Python.

/** @typedef {{ index: number } | { text: string, start: number, end: number }} Asked what only the model can answer */

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
 * Return the buttons that put a fill at a mask; those of the mask 0 fill all masks together.
 *
 * @param {ParentNode} root
 * @param {number} mask from 1
 * @returns {HTMLButtonElement[]}
 */
function findFills(root, mask) {
  return [...root.querySelectorAll(mask ? `button[data-fill][data-mark="${mask}"]` : "button[data-way]")].map(
    (button) => /** @type {HTMLButtonElement} */ (button),
  );
}

/**
 * Put a fill into the sentence.
 *
 * @param {ParentNode} root around the result
 * @param {number} mask from 1; 0 where all are filled together
 * @param {number} rank of the fill, 0 the best
 */
export function selectFill(root, mask, rank) {
  const buttons = findFills(root, mask);
  const { fill, way } = buttons[rank]?.dataset ?? {};
  if (fill === undefined && way === undefined) return;
  /** @type {string[]} */
  const texts = way === undefined ? [fill] : JSON.parse(way);
  for (const [place, text] of texts.entries()) {
    const marked = root.querySelector(`mark[data-mark="${mask || place + 1}"] bdi`);
    if (marked) marked.textContent = text;
  }
  for (const [place, button] of buttons.entries()) button.setAttribute("aria-pressed", String(place === rank));
}

/**
 * Return the nearest element of a selector around the target of an event, or null.
 *
 * @param {EventTarget | null} target
 * @param {string} selector
 * @returns {HTMLElement | null}
 */
export function closest(target, selector) {
  return target instanceof Element ? target.closest(selector) : null;
}

/**
 * Answer what is done to the results inside an element, those that are there now and those that come.
 *
 * @param {HTMLElement} root
 * @param {(asked: Asked) => void} ask
 * @param {(mask: number, rank: number) => void} [onSelect] called when a fill is put into the sentence
 */
export function attachInteraction(root, ask, onSelect = () => {}) {
  /** Tell about what is pointed at or has the focus. @param {Event} event */
  function showTip({ type, target }) {
    const line = /** @type {HTMLElement | null} */ (root.querySelector(".x-readout"));
    if (!line) return;
    const tip = type === "mouseleave" ? null : closest(target, "[data-tip]");
    line.textContent = (tip ? tip.dataset.tip : line.dataset.idle) ?? "";
  }
  for (const type of ["mouseover", "focusin", "mouseleave"]) root.addEventListener(type, showTip);

  root.addEventListener("click", ({ target }) => {
    const button = closest(target, "button");
    if (!button) return;
    const { index, start, end, goto, fill, mark, way } = button.dataset;
    if (fill !== undefined || way !== undefined) {
      const mask = way === undefined ? Number(mark) : 0;
      const rank = findFills(root, mask).indexOf(/** @type {HTMLButtonElement} */ (button));
      selectFill(root, mask, rank);
      onSelect(mask, rank);
    } else if (goto !== undefined) {
      const [first] = [...findFills(root, Number(goto)), ...findFills(root, 0)];
      first?.closest("section")?.scrollIntoView({ block: "nearest" });
      first?.focus();
    } else if (index !== undefined) {
      ask({ index: Number(index) });
    } else if (start !== undefined) {
      const { text = "" } = closest(button, ".x-result")?.dataset ?? {};
      ask({ text, start: Number(start), end: Number(end) });
    }
  });

  // Arrow keys move inside a group, so that Tab passes a long sentence in one step and comes back to where it was.
  root.addEventListener("focusin", ({ target }) => {
    for (const button of closest(target, "[data-roving]")?.querySelectorAll("button") ?? []) {
      button.tabIndex = button === target ? 0 : -1;
    }
  });
  root.addEventListener("keydown", (event) => {
    const group = closest(event.target, "[data-roving]");
    if (!group) return;
    const buttons = [...group.querySelectorAll("button")];
    const place = buttons.indexOf(/** @type {HTMLButtonElement} */ (closest(event.target, "button")));
    const moved = movePlace(event.key, place, buttons.length, getComputedStyle(group).direction === "rtl");
    if (moved === undefined) return;
    event.preventDefault();
    buttons[moved].focus();
  });
}
