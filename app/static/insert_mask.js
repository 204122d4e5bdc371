// A mask in the text box of the filling tab.

const MASK = "<mask>";

/**
 * Put a mask at the caret, or in place of what is selected, whose spaces stay.
 *
 * @param {string} text
 * @param {number} start of the selection, in UTF-16 units
 * @param {number} end
 * @returns {{ text: string, caret: number }} the new text, and the place behind its mask
 */
export function replaceByMask(text, start, end) {
  const selected = text.slice(start, end);
  const before = selected.slice(0, selected.length - selected.trimStart().length);
  const after = selected.trim() ? selected.slice(selected.trimEnd().length) : "";
  const begun = text.slice(0, start) + before + MASK;
  return { text: begun + after + text.slice(end), caret: begun.length };
}

/** Return the text with a mask where the caret of the text box is, and put the caret behind it. @param {string} text */
export function insertMask(text) {
  const box = document.querySelector("#fill-text textarea");
  if (!(box instanceof HTMLTextAreaElement)) return text;
  const masked = replaceByMask(text, box.selectionStart, box.selectionEnd);
  setTimeout(() => {
    box.focus();
    box.setSelectionRange(masked.caret, masked.caret);
  }, 50); // once Gradio has put the text into the box
  return masked.text;
}
