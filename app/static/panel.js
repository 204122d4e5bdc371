// Runs once for each panel of results or examples; Gradio gives `element` and `trigger`.
// Arrow keys move inside a [data-roving] group, so that Tab passes a long sentence in one step.
const first = (event, selector) => event.target.closest ? event.target.closest(selector) : null;

function readout(event) {
  const line = element.querySelector(".x-readout");
  if (!line) return;
  const chip = event.type === "mouseleave" ? null : first(event, "[data-tip]");
  line.textContent = chip ? chip.dataset.tip : line.dataset.idle;
}
for (const type of ["mouseover", "focusin"]) element.addEventListener(type, readout);
element.addEventListener("mouseleave", readout);

function put(mark, text) {
  element.querySelector(`mark[data-mark="${mark}"] bdi`).textContent = text;
}
function press(button) {
  for (const other of button.closest("table").querySelectorAll("button")) {
    other.setAttribute("aria-pressed", String(other === button));
  }
}

// Files of what is shown, which is described by `data-about`.
async function keep(button) {
  const { about, tab } = button.closest(".x-actions").dataset;
  const { file: kind } = button.dataset;
  const status = button.parentElement.querySelector("[role=status]");
  status.textContent = `Making ${button.textContent} …`;
  const answer = await server.save([kind, JSON.parse(about)]).catch((error) => ({ error: error.message }));
  if (!answer.error) window.xlmrxl.keep(new Blob([answer.text]), `${tab}.${kind}`);
  status.textContent = answer.error ?? `${button.textContent} saved.`;
}

element.addEventListener("click", (event) => {
  const button = first(event, "button");
  if (!button) return;
  if (button.dataset.file !== undefined) return keep(button);
  const { index, start, end, goto, fill, mark, way, layers } = button.dataset;
  if (index !== undefined) {
    trigger("select", { index: Number(index) });
  } else if (start !== undefined) {
    const { text } = element.querySelector(".x-result").dataset;
    trigger("select", { text, start: Number(start), end: Number(end) });
  } else if (goto !== undefined) {
    const fills = element.querySelector(`#mask-${goto}`) || element.querySelector("#ways");
    fills.scrollIntoView({ block: "nearest" });
    fills.querySelector("tbody button").focus();
  } else if (fill !== undefined) {
    put(mark, fill);
    press(button);
  } else if (way !== undefined) {
    JSON.parse(way).forEach((text, place) => put(place + 1, text));
    press(button);
  } else if (layers !== undefined) {
    trigger("select", { text: layers, shown: button.getAttribute("aria-expanded") === "true" });
  }
});

element.addEventListener("keydown", (event) => {
  const group = first(event, "[data-roving]");
  if (!group) return;
  const buttons = [...group.querySelectorAll("button")];
  const here = buttons.indexOf(document.activeElement);
  const forward = getComputedStyle(group).direction === "rtl" ? "ArrowLeft" : "ArrowRight";
  const backward = forward === "ArrowLeft" ? "ArrowRight" : "ArrowLeft";
  const there = {
    [forward]: here + 1, ArrowDown: here + 1, [backward]: here - 1, ArrowUp: here - 1, Home: 0, End: buttons.length - 1,
  }[event.key];
  if (here < 0 || there === undefined || !buttons[there]) return;
  event.preventDefault();
  buttons[here].tabIndex = -1;
  buttons[there].tabIndex = 0;
  buttons[there].focus();
});

// When the panel changes. On a narrow screen the result is below the fold: bring it into view. The layers stay where they
// are, since the fills come first; where they are wanted already their button is pressed.
watch("value", () => setTimeout(() => {
  const layers = element.querySelector("[data-layers]");
  if (layers?.matches("[data-now]")) layers.click();
  if (layers || !element.textContent.trim()) return;
  if (element.getBoundingClientRect().top > window.innerHeight * 0.75) element.scrollIntoView({ block: "start" });
}));
