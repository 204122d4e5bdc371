(text) => {
  // Puts <mask> at the caret, or in place of what is selected (its spaces stay), and keeps the caret behind it.
  const box = document.querySelector("#fill-text textarea");
  const start = box.selectionStart;
  const chosen = text.slice(start, box.selectionEnd);
  const before = chosen.slice(0, chosen.length - chosen.trimStart().length);
  const after = chosen.trim() ? chosen.slice(chosen.trimEnd().length) : "";
  const caret = start + before.length + "<mask>".length;
  setTimeout(() => { box.focus(); box.setSelectionRange(caret, caret); }, 50);
  return text.slice(0, start) + before + "<mask>" + after + text.slice(box.selectionEnd);
}
