// The map of all heads: a thumbnail or a colour each, to point at and to choose from.

import { Scale } from "./colours.js";
import { element, getContext, makeCanvas, resizeCanvas } from "./dom.js";
import { hasAny } from "./explorer.js";
import { MapGrid } from "./geometry.js";
import { formatNumber } from "./numbers.js";

/** @import { Explorer, HeadMapValues, Part } from "./explorer.js" */

export class HeadMap {
  /** Places are positions in the map; `map.order` says which head is there. */
  active = 0;
  /** @type {number | null} */
  hovered = null;
  /** The selection that `active` followed. */
  followed = "";
  /** Null until there is room. @type {MapGrid | null} */
  grid = null;
  /** The thumbnails of a side as one picture. @type {{ key: string, canvas: HTMLCanvasElement } | null} */
  tiles = null;
  /** The last time that something is said. @type {symbol | null} */
  turn = null;

  /** @param {Explorer} explorer @param {HTMLElement} readout the line below */
  constructor(explorer, readout) {
    this.explorer = explorer;
    this.readout = readout;
    this.base = makeCanvas("x-layer");
    this.over = makeCanvas("x-layer");
    this.cell = element("div", { role: "gridcell", id: "x-active-head" });
    this.row = element("div", { role: "row" }, this.cell);
    this.element = element(
      "div",
      { class: "x-map", role: "grid", tabindex: 0, "aria-label": "All heads", "aria-multiselectable": "true" },
      this.base,
      this.over,
      element("div", { class: "x-unseen" }, this.row),
    );
    this.element.setAttribute("aria-activedescendant", "x-active-head");
    this.element.addEventListener("pointermove", (event) => this.hover(this.at(event)));
    this.element.addEventListener("pointerleave", () => this.hover(null));
    this.element.addEventListener("click", (event) => {
      const place = this.at(event);
      if (place === null) return;
      this.active = place;
      this.choose(place, event.shiftKey || event.ctrlKey || event.metaKey);
    });
    this.element.addEventListener("keydown", (event) => this.key(event));
    this.element.addEventListener("focus", () => this.paintOver());
    this.element.addEventListener("blur", () => this.paintOver());
  }

  /** @param {Set<Part>} parts */
  draw(parts) {
    const { explorer } = this;
    if (!explorer.map) return;
    if (parts.has("open") || parts.has("theme")) this.tiles = null;
    if (hasAny(parts, "open", "map", "theme", "size")) {
      const { layer, head } = explorer.selected;
      const followed = `${layer} ${head} ${explorer.map.order[0]}`;
      if (followed !== this.followed) this.active = explorer.map.order.indexOf(layer * explorer.heads + head);
      this.followed = followed;
      this.paint(explorer.map);
    } else if (parts.has("off")) {
      this.paint(explorer.map);
    }
  }

  /** Return the thumbnails of the selected side as one picture, in the model's order. */
  picture() {
    const { explorer } = this;
    const side = explorer.selected.side;
    const key = `${side} ${explorer.theme}`;
    if (this.tiles?.key === key) return this.tiles.canvas;
    const { thumbnail: edge } = explorer.sides[side];
    const { layers, heads } = explorer;
    const canvas = document.createElement("canvas");
    canvas.width = heads * edge;
    canvas.height = layers * edge;
    const context = getContext(canvas);
    const image = context.createImageData(canvas.width, canvas.height);
    const pixels = new Uint32Array(image.data.buffer);
    const scale = new Scale(explorer.theme);
    const values = explorer.thumbnails[side];
    const cells = edge * edge;
    for (let i = 0; i < layers * heads; i++) {
      let peak = 0;
      for (let at = i * cells; at < (i + 1) * cells; at++) peak = Math.max(peak, values[at]);
      const corner = Math.floor(i / heads) * edge * canvas.width + (i % heads) * edge;
      for (let y = 0, at = i * cells; y < edge; y++) {
        for (let x = 0; x < edge; x++, at++)
          pixels[corner + y * canvas.width + x] = scale.pixels[scale.level(values[at], peak)];
      }
    }
    context.putImageData(image, 0, 0);
    this.tiles = { key, canvas };
    return canvas;
  }

  /** @param {HeadMapValues} map */
  paint(map) {
    const { explorer } = this;
    const { layers, heads } = explorer;
    const width = this.element.parentElement?.clientWidth;
    if (!width) return;
    const grid = new MapGrid(layers, heads, width);
    this.grid = grid;
    const { left, top, size, step, gap } = grid;
    const context = resizeCanvas(this.base, grid.width, grid.height);
    resizeCanvas(this.over, grid.width, grid.height);
    this.element.style.width = `${grid.width}px`;
    this.element.style.height = `${grid.height}px`;
    const values = explorer.cells === "values" ? map.values : null;
    const scale = new Scale(explorer.theme, map.signed);
    const picture = this.picture();
    context.fillStyle = explorer.wash;
    context.fillRect(left - gap, top - gap, heads * step + gap, layers * step + gap);
    const edge = picture.width / heads;
    context.imageSmoothingEnabled = edge > size * devicePixelRatio;
    context.imageSmoothingQuality = "high";
    for (const [place, index] of map.order.entries()) {
      const [x, y] = grid.corner(place);
      const layer = Math.floor(index / heads);
      const head = index % heads;
      context.globalAlpha = explorer.inside && !explorer.inside.has(index) ? 0.25 : 1;
      if (values) {
        const value = values[index];
        context.fillStyle = Number.isFinite(value) ? scale.css(explorer.shareOf(value)) : explorer.paper;
        context.fillRect(x, y, size, size);
      } else {
        context.drawImage(picture, head * edge, layer * edge, edge, edge, x, y, size, size);
      }
      context.globalAlpha = 1;
      if (explorer.isOff(layer, head)) this.strike(context, x, y, size);
    }
    if (explorer.settings.order === "model" || !map.values) this.labels(context, grid);
    this.element.setAttribute("aria-rowcount", String(layers));
    this.element.setAttribute("aria-colcount", String(heads));
    this.paintOver();
  }

  /** @param {CanvasRenderingContext2D} context @param {MapGrid} grid */
  labels(context, { left, top, size, step, layers, heads }) {
    const { soft, mono } = this.explorer;
    context.fillStyle = soft;
    context.font = `10px ${mono}`;
    context.textBaseline = "middle";
    /** @param {number} room */
    const every = (room) => [1, 2, 4, 8].find((n) => n * step >= room) ?? 16;
    context.textAlign = "right";
    for (let i = 0; i < layers; i += every(11)) {
      context.fillText(`L${i}`, left - 5, top + i * step + size / 2 + 0.5);
    }
    context.textAlign = "center";
    for (let i = 0; i < heads; i += every(24)) context.fillText(`H${i}`, left + i * step + size / 2, top - 8);
  }

  /**
   * Mark a head that is off.
   *
   * @param {CanvasRenderingContext2D} context
   * @param {number} x
   * @param {number} y
   * @param {number} size
   */
  strike(context, x, y, size) {
    const { paper, ink } = this.explorer;
    context.globalAlpha = 0.75;
    context.fillStyle = paper;
    context.fillRect(x, y, size, size);
    context.globalAlpha = 1;
    context.strokeStyle = ink;
    context.lineWidth = 1;
    context.beginPath();
    context.moveTo(x, y + size);
    context.lineTo(x + size, y);
    context.stroke();
  }

  /** Draw what is pointed at and what is chosen, over the map. */
  paintOver() {
    const { explorer, grid } = this;
    const { map, heads } = explorer;
    if (!map || !grid) return;
    const context = getContext(this.over);
    context.clearRect(0, 0, this.over.width, this.over.height);
    const { layer, head } = explorer.selected;
    /** @param {number} place @param {string} colour @param {number} width @param {number} apart */
    const frame = (place, colour, width, apart) => {
      const [x, y] = grid.corner(place);
      context.strokeStyle = colour;
      context.lineWidth = width;
      context.strokeRect(x - apart, y - apart, grid.size + 2 * apart, grid.size + 2 * apart);
    };
    for (const [place, index] of map.order.entries()) {
      if (index === layer * heads + head) {
        frame(place, explorer.paper, 4, 1);
        frame(place, explorer.accent, 2, 1);
      } else if (explorer.isChosen(Math.floor(index / heads), index % heads)) {
        frame(place, explorer.accent, 1.5, 1);
      }
    }
    if (this.hovered !== null) frame(this.hovered, explorer.ink, 1, 0.5);
    if (this.element.matches(":focus-visible")) frame(this.active, explorer.ink, 2, 1);
    this.say();
  }

  /** Name the active head to screen readers, and the one pointed at (or active) in the line below. */
  async say() {
    const { explorer } = this;
    const { heads } = explorer;
    const turn = Symbol("say");
    this.turn = turn;
    /** @param {number} place */
    const describe = async (place) => {
      const index = explorer.map?.order[place] ?? place;
      const [layer, head] = [Math.floor(index / heads), index % heads];
      return { layer, head, index, facts: await explorer.facts(layer, head) };
    };
    const active = await describe(this.active);
    const shown = this.hovered === null ? active : await describe(this.hovered);
    const { map } = explorer;
    if (turn !== this.turn || !map) return;
    const { values } = map;
    /** @param {number} index */
    const write = (index) => (values ? `${formatNumber(values[index], map.signed)} ${map.unit}`.trim() : "");
    this.row.setAttribute("aria-rowindex", String(Math.floor(this.active / heads) + 1));
    this.cell.setAttribute("aria-colindex", String((this.active % heads) + 1));
    this.cell.setAttribute("aria-selected", String(explorer.isChosen(active.layer, active.head)));
    this.cell.textContent = [
      `Layer ${active.layer}, head ${active.head}`,
      values ? `${map.name}: ${write(active.index)}` : active.facts[0],
      explorer.isOff(active.layer, active.head) ? "switched off" : "",
    ]
      .filter(Boolean)
      .join(", ");
    const { layer, head, index } = shown;
    Object.assign(this.readout.dataset, { layer, head, value: values ? values[index] : "" });
    this.readout.replaceChildren(
      element("b", {}, `L${layer} H${head}`),
      values ? element("b", { class: "x-value" }, write(index)) : "",
      ...shown.facts.map((fact) => element("span", {}, fact)),
    );
  }

  /** Return the place that an event is about, or null. @param {MouseEvent} event */
  at(event) {
    const box = this.element.getBoundingClientRect();
    return this.grid?.find(event.clientX - box.left, event.clientY - box.top) ?? null;
  }

  /** @param {number | null} place */
  hover(place) {
    if (place === this.hovered) return;
    this.hovered = place;
    this.paintOver();
  }

  /** @param {number} place @param {boolean} isAdded */
  choose(place, isAdded) {
    const { heads, map } = this.explorer;
    const index = map?.order[place] ?? place;
    this.explorer.select(Math.floor(index / heads), index % heads, { isAdded });
  }

  /** @param {KeyboardEvent} event */
  key(event) {
    const { explorer, grid } = this;
    const { heads, map } = explorer;
    if (!map || !grid) return;
    const index = map.order[this.active];
    const moved = grid.move(event.key, this.active, event.ctrlKey);
    if (moved !== undefined) this.active = moved;
    else if (event.key === "Enter" || event.key === " ") {
      this.choose(this.active, event.shiftKey || event.ctrlKey || event.metaKey);
    } else if (event.key === "x" && explorer.can("ablate")) {
      explorer.toggleOff(Math.floor(index / heads), index % heads);
    } else if (event.key === "X" && explorer.can("ablate")) explorer.toggleOff(Math.floor(index / heads));
    else return;
    event.preventDefault();
    this.paintOver();
  }
}
