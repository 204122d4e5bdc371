// The explorer on a page: its body is made anew for each text, and drawn part by part.

import { findTheme, listProperties, watchTheme } from "./colours.js";
import { HeadControls, HeadReadout, MapControls } from "./controls.js";
import { element, own } from "./dom.js";
import { LinesPane } from "./lines.js";
import { HeadMap } from "./map.js";
import { MatrixPane } from "./matrix.js";
import { formatDecimal } from "./numbers.js";
import { FindPanel, Help, OffPanel, SavePanel } from "./panels.js";

/** @import { Explorer, Part, View } from "./explorer.js" */
/** @import { Head, Side } from "./protocol" */

const NAMED = 12; // heads of a file that are named one by one: whole layers are not

/** @param {Head[]} heads */
function nameHeads(heads) {
  const names = heads.slice(0, NAMED).map(([layer, head]) => `L${layer} H${head}`);
  return names.join(", ") + (heads.length > NAMED ? ` and ${heads.length - NAMED} more` : "");
}

/** What is shown of one text, or of two beside each other. */
class Body {
  /** @param {Explorer} explorer */
  constructor(explorer) {
    this.explorer = explorer;
    const { sides } = explorer;
    const isTwo = sides.length > 1;
    this.panes = sides.map((_, side) => ({
      lines: new LinesPane(explorer, side),
      matrix: new MatrixPane(explorer, side),
    }));
    const panes = () => this.panes.map((pane) => pane[explorer.form]);
    this.help = new Help();
    const mapLine = element("div", { class: "x-readout", "data-readout": "map" });
    const map = new HeadMap(explorer, mapLine);
    const mapControls = new MapControls(explorer);
    const headControls = new HeadControls(explorer, panes);
    const readout = new HeadReadout(explorer);
    const panels = [new FindPanel(explorer), new OffPanel(explorer), new SavePanel(explorer, panes)];
    this.captions = sides.map((side, i) => this.#makeCaption(side, i));
    this.boxes = this.panes.map(({ lines, matrix }, side) =>
      element("div", {}, this.captions[side]?.element, lines.element, matrix.element),
    );
    this.panesBox = element("div", { class: "x-panes" }, ...this.boxes);
    this.mapBox = element("div", { class: "x-map-box" }, map.element);
    this.readout = readout.element;
    this.element = element(
      "div",
      { class: "x-frame" },
      this.#makeTop(),
      this.help.element,
      element(
        "div",
        { class: isTwo ? "x-body x-two" : "x-body" },
        element(
          "section",
          { class: "x-heads" },
          element("div", { class: "x-title" }, element("h3", {}, "All heads")),
          mapControls.element,
          mapControls.sweep,
          mapControls.problem,
          this.mapBox,
          mapControls.legend,
          mapLine,
          mapControls.note,
        ),
        element(
          "section",
          { class: "x-head" },
          headControls.element,
          headControls.problem,
          this.panesBox,
          readout.element,
          headControls.note,
        ),
        ...panels.map((panel) => panel.element),
      ),
    );
    /** @type {View[]} */
    this.views = [
      mapControls,
      map,
      headControls,
      ...this.panes.flatMap(({ lines, matrix }) => [lines, matrix]),
      readout,
      ...panels,
    ];
  }

  /** Make the line that says what is looked at. */
  #makeTop() {
    const { sides, meta, layers, heads } = this.explorer;
    const models = sides.map(({ source }) =>
      [source.model, source.revision, source.precision].filter(Boolean).join(", "),
    );
    const counts = sides.map(({ tokens }) => tokens.text.length).join(" and ");
    const size = `${layers} layers × ${heads} heads, counted from 0; ${counts} tokens`;
    const inside =
      meta.inside && `This file holds ${nameHeads(meta.inside)} of ${layers * heads} heads; the others are pale.`;
    return element(
      "div",
      { class: "x-top" },
      element("h2", {}, "Attention"),
      element("p", {}, `${size}; ${[...new Set(models)].join(" and ")}`),
      this.help.button,
      inside && element("p", { class: "x-inside" }, inside),
    );
  }

  /**
   * Make the texts, where there is more than one of them: what A and B are, or first and second.
   *
   * @param {Side} side
   * @param {number} place
   */
  #makeCaption({ text, text_pair: pair, source }, place) {
    const isTwo = this.explorer.sides.length > 1;
    if (!isTwo && pair === null) return null;
    const name = element("span", {}, place ? "second" : "first");
    const precision = element("span", { translate: "no" }, source.precision);
    const texts = pair === null ? [own(text, { title: text })] : [];
    if (pair !== null) {
      texts.push(element("span", {}, "A"), own(text, { title: text }));
      texts.push(element("span", {}, "B"), own(pair, { title: pair }));
    }
    const caption = element("p", { class: "x-caption" }, isTwo && name, ...texts, isTwo && precision);
    return { element: caption, name, precision };
  }

  /** @param {Set<Part>} parts */
  draw(parts) {
    const { explorer } = this;
    const isDifference = explorer.settings.compare === "difference";
    const precisions = explorer.sides.map(({ source }) => source.precision);
    for (const [side, box] of this.boxes.entries()) {
      box.hidden = side > 0 && isDifference;
      this.panes[side].lines.element.hidden = explorer.form !== "lines";
      this.panes[side].matrix.element.hidden = explorer.form !== "matrix";
      const caption = this.captions[side];
      if (!caption) continue;
      const name = side ? "second" : "first";
      caption.name.textContent = isDifference ? "second minus first" : name;
      caption.precision.textContent = isDifference ? [...precisions].reverse().join(" − ") : precisions[side];
    }
    this.panesBox.classList.toggle("x-both", explorer.sides.length > 1 && !isDifference);
    this.panesBox.hidden = Boolean(explorer.error);
    this.readout.hidden = Boolean(explorer.error);
    const late = /** @type {const} */ ([
      ["head", this.panesBox],
      ["map", this.mapBox],
    ]);
    for (const [part, node] of late) {
      node.classList.toggle("x-late", explorer.late.has(part));
      node.setAttribute("aria-busy", String(explorer.late.has(part)));
    }
    for (const view of this.views) view.draw(parts);
  }
}

/** The frame on the page, whatever is in it. */
export class Page {
  /** @type {Body | null} */
  body = null;

  /** @param {Explorer} explorer @param {HTMLElement} el where it is mounted */
  constructor(explorer, el) {
    this.explorer = explorer;
    this.el = el;
    this.frame = element("div", { class: "x" });
    this.live = element("p", { class: "x-unseen", "aria-live": "polite" });
    this.sizes = new ResizeObserver(() => explorer.tell("size"));
    this.sizes.observe(this.frame);
    this.endWatching = watchTheme(() => this.readTheme());
    this.readTheme();
    this.frame.append(element("p", { class: "x-frame x-note" }, "Waiting for a text…"));
    this.frame.addEventListener("keydown", (event) => {
      if (event.key === "Escape") explorer.unpin();
      else if (event.key === "?") this.body?.help.toggle();
      else return;
      event.preventDefault();
    });
  }

  close() {
    this.sizes.disconnect();
    this.endWatching();
  }

  /** Take over the theme of the page around, and tell what its colours and fonts are. */
  readTheme() {
    const { explorer, frame } = this;
    explorer.theme = findTheme(this.el);
    frame.dataset.theme = explorer.theme;
    for (const [name, colour] of listProperties()) frame.style.setProperty(name, colour);
    if (!frame.isConnected) return;
    const style = getComputedStyle(frame);
    for (const name of /** @type {const} */ (["ink", "soft", "line", "wash", "accent", "sans", "mono"])) {
      explorer[name] = style.getPropertyValue(`--${name}`);
    }
    explorer.paper = style.backgroundColor;
    if (explorer.meta) explorer.tell("theme");
  }

  /** @param {Set<Part>} parts */
  draw(parts) {
    const { explorer } = this;
    if (parts.has("open")) {
      this.body = new Body(explorer);
      this.frame.replaceChildren(this.body.element, this.live);
      this.readTheme();
    }
    if (parts.has("failed")) {
      this.frame.replaceChildren(element("p", { class: "x-problem", role: "alert" }, explorer.failed));
    }
    if (!this.body) return;
    if (parts.has("size") && !explorer.ink) this.readTheme(); // it was mounted before it was on the page
    if (parts.has("settings")) parts.add("form");
    this.body.draw(parts);
    if (parts.has("head") && explorer.shown) this.say();
    for (const [part, shown] of /** @type {const} */ ([
      ["map", explorer.map],
      ["head", explorer.shown],
    ])) {
      if (parts.has(part) && shown) this.el.dispatchEvent(new CustomEvent("painted", { detail: part }));
    }
  }

  /** Say which head it is and its strongest pairs, to those who listen. */
  say() {
    const { explorer } = this;
    const pairs = (explorer.shown ?? []).map((shown) => {
      const names = shown.strongest(3).map(([i, j]) => {
        const weight = formatDecimal(shown.value(i, j), 2, shown.signed);
        return `${shown.rows[i].text} → ${shown.columns[j].text} ${weight}`;
      });
      return names.join(", ");
    });
    const title = explorer.title.replace(/^L(\d+) H(\d+)$/, "Layer $1, head $2");
    this.live.textContent = `${title}. Strongest: ${pairs.join("; in the second: ")}.`;
  }
}
