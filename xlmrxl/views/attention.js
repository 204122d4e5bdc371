// @ts-nocheck: not typed yet
// The attention explorer: an ES module in the anywidget format, without a build step. What it is sent and what it asks
// for stands in protocol.py, and so does how it is mounted where there is no anywidget.
//
// `el.explorer` is the Explorer, for tests and scripts: after a "painted" event on `el` (detail: "map" or "head"),
// `el.explorer.shown[side]` has the rows, the columns, `value(i, j)` and `error(i, j)` of what is on screen.

import STYLE from "./attention.css";
import { findTheme, listProperties, watchTheme } from "./colours.js";
import { HeadControls, HeadReadout, MapControls } from "./controls.js";
import { element, own } from "./dom.js";
import { Explorer } from "./explorer.js";
import { LinesPane } from "./lines.js";
import { HeadMap } from "./map.js";
import { MatrixPane } from "./matrix.js";
import { formatDecimal } from "./numbers.js";
import { FindPanel, Help, OffPanel, SavePanel } from "./panels.js";

/** All of it on a page: made anew for each text, drawn part by part. */
class Page {
  constructor(explorer, el) {
    this.explorer = explorer;
    this.el = el;
    this.frame = element("div", { class: "x" });
    this.live = element("p", { class: "x-unseen", "aria-live": "polite" });
    this.sizes = new ResizeObserver(() => explorer.tell("size"));
    this.sizes.observe(this.frame);
    this.unwatch = watchTheme(() => this.theme());
    this.theme();
    this.frame.append(element("p", { class: "x-frame x-note" }, "Waiting for a text…"));
    this.frame.addEventListener("keydown", (event) => {
      if (event.key === "Escape") explorer.unpin();
      else if (event.key === "?") this.help?.toggle();
      else return;
      event.preventDefault();
    });
  }

  close() {
    this.sizes.disconnect();
    this.unwatch();
  }

  theme() {
    const { explorer, frame } = this;
    frame.dataset.theme = explorer.theme = findTheme(this.el);
    for (const [name, colour] of listProperties()) frame.style.setProperty(name, colour);
    if (!frame.isConnected) return;
    const style = getComputedStyle(frame);
    for (const name of ["ink", "soft", "line", "wash", "accent", "sans", "mono"])
      explorer[name] = style.getPropertyValue(`--${name}`);
    explorer.paper = style.backgroundColor;
    if (explorer.meta) explorer.tell("theme");
  }

  build() {
    const { explorer } = this;
    const { sides, meta, layers, heads } = explorer;
    const panes = () => [...this.panes.keys()].map((side) => this.panes[side][explorer.form]);
    this.help = new Help();
    this.panes = sides.map((_, side) => ({
      lines: new LinesPane(explorer, side),
      matrix: new MatrixPane(explorer, side),
    }));
    const mapControls = new MapControls(explorer);
    const mapLine = element("div", { class: "x-readout", "data-readout": "map" });
    const map = new HeadMap(explorer, mapLine);
    const headControls = new HeadControls(explorer, panes);
    const readout = new HeadReadout(explorer);
    const panels = [new FindPanel(explorer), new OffPanel(explorer), new SavePanel(explorer, panes)];
    const two = sides.length > 1;
    this.boxes = sides.map((side, i) =>
      element("div", {}, this.caption(side, i), this.panes[i].lines.element, this.panes[i].matrix.element),
    );
    this.panesBox = element("div", { class: "x-panes" }, ...this.boxes);
    this.mapBox = element("div", { class: "x-map-box" }, map.element);
    this.readout = readout.element;
    const names = [
      ...new Set(
        sides.map(({ source }) => [source.model, source.revision, source.precision].filter(Boolean).join(", ")),
      ),
    ];
    const counts = sides.map(({ tokens }) => tokens.text.length).join(" and ");
    const inside =
      meta.inside && `This file holds ${this.named(meta.inside)} of ${layers * heads} heads; the others are pale.`;
    this.frame.replaceChildren(
      element(
        "div",
        { class: "x-frame" },
        element(
          "div",
          { class: "x-top" },
          element("h2", {}, "Attention"),
          element(
            "p",
            {},
            `${layers} layers × ${heads} heads, counted from 0; ${counts} tokens; ${names.join(" and ")}`,
          ),
          this.help.button,
          inside && element("p", { class: "x-inside" }, inside),
        ),
        this.help.element,
        element(
          "div",
          { class: two ? "x-body x-two" : "x-body" },
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
        this.live,
      ),
    );
    this.views = [
      mapControls,
      map,
      headControls,
      ...this.panes.flatMap(({ lines, matrix }) => [lines, matrix]),
      readout,
      ...panels,
    ];
  }

  /** Which heads are in a file; whole layers are not listed head by head. */
  named(list) {
    const names = list.slice(0, 12).map(([layer, head]) => `L${layer} H${head}`);
    return names.join(", ") + (list.length > 12 ? ` and ${list.length - 12} more` : "");
  }

  /** The texts, where there is more than one of them: what A and B are, or first and second. */
  caption({ text, second, source }, side) {
    const { sides } = this.explorer;
    if (sides.length < 2 && second === null) return null;
    const parts =
      second === null
        ? [["", text]]
        : [
            ["A", text],
            ["B", second],
          ];
    return element(
      "p",
      { class: "x-caption" },
      sides.length > 1 && element("span", {}, side ? "second" : "first"),
      ...parts.flatMap(([name, words]) => [name && element("span", {}, name), own(words, { title: words })]),
      sides.length > 1 && element("span", { translate: "no" }, source.precision),
    );
  }

  draw(parts) {
    const { explorer } = this;
    if (parts.has("open")) {
      this.build();
      this.theme();
    }
    if (parts.has("failed"))
      this.frame.replaceChildren(element("p", { class: "x-problem", role: "alert" }, explorer.failed));
    if (!this.views) return;
    if (parts.has("size") && !explorer.ink) this.theme(); // it was mounted before it was on the page
    if (parts.has("settings")) parts.add("form");
    const difference = explorer.settings.compare === "difference";
    const sides = explorer.sides.length;
    this.boxes.forEach((box, side) => {
      box.hidden = side > 0 && difference;
      this.panes[side].lines.element.hidden = explorer.form !== "lines";
      this.panes[side].matrix.element.hidden = explorer.form !== "matrix";
      if (sides < 2) return;
      const [named, precision] = box.querySelectorAll(".x-caption > span:is(:first-child, :last-child)");
      const precisions = explorer.sides.map(({ source }) => source.precision);
      named.textContent = difference ? "second minus first" : side ? "second" : "first";
      precision.textContent = difference ? precisions.reverse().join(" − ") : precisions[side];
    });
    this.panesBox.classList.toggle("x-both", sides > 1 && !difference);
    this.panesBox.hidden = this.readout.hidden = Boolean(explorer.error);
    for (const [part, node] of [
      ["head", this.panesBox],
      ["map", this.mapBox],
    ]) {
      node.classList.toggle("x-late", explorer.late.has(part));
      node.setAttribute("aria-busy", String(explorer.late.has(part)));
    }
    for (const view of this.views) view.draw(parts);
    if (parts.has("head") && explorer.shown) this.say();
    for (const part of ["map", "head"]) {
      if (parts.has(part) && (part === "map" ? explorer.map : explorer.shown))
        this.el.dispatchEvent(new CustomEvent("painted", { detail: part }));
    }
  }

  /** Which head it is and its strongest pairs, to those who listen. */
  say() {
    const { explorer } = this;
    const pairs = explorer.shown.map((shown) =>
      shown
        .strongest(3)
        .map(
          ([i, j]) =>
            `${shown.rows[i].text} → ${shown.columns[j].text} ${formatDecimal(shown.value(i, j), 2, shown.signed)}`,
        )
        .join(", "),
    );
    const title = explorer.title.replace(/^L(\d+) H(\d+)$/, "Layer $1, head $2");
    this.live.textContent = `${title}. Strongest: ${pairs.join("; in the second: ")}.`;
  }
}

function render({ model, el }) {
  // JupyterLab would take the keys of a focused output for those of the notebook.
  const host = element("div", { class: "xlmrxl-attention", "data-lm-suppress-shortcuts": "true" });
  const root = host.attachShadow({ mode: "open" });
  const explorer = new Explorer(model);
  const page = new Page(explorer, el);
  root.append(element("style", {}, STYLE), page.frame);
  el.append(host);
  el.explorer = explorer;
  explorer.views.add(page);
  explorer.open();
  return () => {
    page.close();
    explorer.close();
    host.remove();
  };
}

export { makeJsonModel } from "./json_model.js";

export default { render };
