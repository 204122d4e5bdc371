// @ts-nocheck: not typed yet
// The map of all heads: a thumbnail or a colour each, to point at and to choose from.

import { Scale } from "./colours.js";
import { canvasOf, element, sized } from "./dom.js";
import { formatNumber } from "./numbers.js";

const GAP = 2;
const LABELS_LEFT = 28; // pixels for layer labels on the left
const LABELS_TOP = 16; // and for head labels above

export class HeadMap {
  constructor(explorer, readout) {
    this.explorer = explorer;
    this.readout = readout;
    this.base = canvasOf("x-layer");
    this.over = canvasOf("x-layer");
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
    this.active = 0; // places are positions in the map; map.order says which head is there
    this.hovered = null;
  }

  draw(parts) {
    const { explorer } = this;
    if (!explorer.map) return;
    if (parts.has("open") || parts.has("theme")) this.tiles = null;
    if (["open", "map", "theme", "size"].some((part) => parts.has(part))) {
      const { layer, head } = explorer.selected;
      const followed = `${layer} ${head} ${explorer.map.order[0]}`;
      if (followed !== this.followed) this.active = explorer.map.order.indexOf(layer * explorer.heads + head);
      this.followed = followed;
      this.paint();
    } else if (parts.has("off")) {
      this.paint();
    }
  }

  /** The thumbnails of a side as one picture, in the model's order. */
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
    const context = canvas.getContext("2d");
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

  paint() {
    const { explorer } = this;
    const { layers, heads, map } = explorer;
    const width = this.element.parentNode.clientWidth;
    if (!width) return;
    this.size = Math.max(6, Math.min(44, Math.floor((width - LABELS_LEFT) / heads) - GAP));
    const step = this.size + GAP;
    const context = sized(this.base, LABELS_LEFT + heads * step, LABELS_TOP + layers * step);
    sized(this.over, LABELS_LEFT + heads * step, LABELS_TOP + layers * step);
    this.element.style.width = `${LABELS_LEFT + heads * step}px`;
    this.element.style.height = `${LABELS_TOP + layers * step}px`;
    const values = explorer.cells === "values" ? map.values : null;
    const scale = new Scale(explorer.theme, map.signed);
    const picture = this.picture();
    context.fillStyle = explorer.wash;
    context.fillRect(LABELS_LEFT - GAP, LABELS_TOP - GAP, heads * step + GAP, layers * step + GAP);
    const edge = picture.width / heads;
    context.imageSmoothingEnabled = edge > this.size * devicePixelRatio;
    context.imageSmoothingQuality = "high";
    map.order.forEach((index, place) => {
      const [x, y] = this.corner(place);
      const layer = Math.floor(index / heads);
      const head = index % heads;
      context.globalAlpha = explorer.inside && !explorer.inside.has(index) ? 0.25 : 1;
      if (values) {
        const value = values[index];
        context.fillStyle = Number.isFinite(value) ? scale.css(explorer.shareOf(value)) : explorer.paper;
        context.fillRect(x, y, this.size, this.size);
      } else {
        context.drawImage(picture, head * edge, layer * edge, edge, edge, x, y, this.size, this.size);
      }
      context.globalAlpha = 1;
      if (explorer.isOff(layer, head)) this.strike(context, x, y);
    });
    this.labels(context, step);
    this.element.setAttribute("aria-rowcount", layers);
    this.element.setAttribute("aria-colcount", heads);
    this.paintOver();
  }

  labels(context, step) {
    const { explorer } = this;
    context.fillStyle = explorer.soft;
    context.font = `10px ${explorer.mono}`;
    context.textBaseline = "middle";
    const every = (room) => [1, 2, 4, 8].find((n) => n * step >= room) ?? 16;
    if (explorer.settings.order !== "model" && explorer.map.values) return;
    context.textAlign = "right";
    for (let i = 0; i < explorer.layers; i += every(11))
      context.fillText(`L${i}`, LABELS_LEFT - 5, LABELS_TOP + i * step + this.size / 2 + 0.5);
    context.textAlign = "center";
    for (let i = 0; i < explorer.heads; i += every(24))
      context.fillText(`H${i}`, LABELS_LEFT + i * step + this.size / 2, LABELS_TOP - 8);
  }

  strike(context, x, y) {
    const { paper, ink } = this.explorer;
    context.globalAlpha = 0.75;
    context.fillStyle = paper;
    context.fillRect(x, y, this.size, this.size);
    context.globalAlpha = 1;
    context.strokeStyle = ink;
    context.lineWidth = 1;
    context.beginPath();
    context.moveTo(x, y + this.size);
    context.lineTo(x + this.size, y);
    context.stroke();
  }

  /** What is pointed at and what is chosen, over the map. */
  paintOver() {
    const { explorer } = this;
    if (!explorer.map || !this.size) return;
    const context = this.over.getContext("2d");
    context.clearRect(0, 0, this.over.width, this.over.height);
    const { layer, head } = explorer.selected;
    const frame = (place, colour, width, apart) => {
      const [x, y] = this.corner(place);
      context.strokeStyle = colour;
      context.lineWidth = width;
      context.strokeRect(x - apart, y - apart, this.size + 2 * apart, this.size + 2 * apart);
    };
    explorer.map.order.forEach((index, place) => {
      const [l, h] = [Math.floor(index / explorer.heads), index % explorer.heads];
      if (l === layer && h === head) {
        frame(place, explorer.paper, 4, 1);
        frame(place, explorer.accent, 2, 1);
      } else if (explorer.isChosen(l, h)) {
        frame(place, explorer.accent, 1.5, 1);
      }
    });
    if (this.hovered !== null) frame(this.hovered, explorer.ink, 1, 0.5);
    if (this.element.matches(":focus-visible")) frame(this.active, explorer.ink, 2, 1);
    this.say();
  }

  /** Name the active head to screen readers, and the one pointed at (or active) in the line below. */
  async say() {
    const { explorer } = this;
    const turn = Symbol("say");
    this.turn = turn;
    const name = async (place) => {
      const index = explorer.map.order[place];
      const [layer, head] = [Math.floor(index / explorer.heads), index % explorer.heads];
      return { layer, head, index, facts: await explorer.facts(layer, head) };
    };
    const active = await name(this.active);
    const shown = this.hovered === null ? active : await name(this.hovered);
    if (turn !== this.turn) return;
    const { map } = explorer;
    const value = (index) => (map.values ? `${formatNumber(map.values[index], map.signed)} ${map.unit}`.trim() : "");
    this.row.setAttribute("aria-rowindex", Math.floor(this.active / explorer.heads) + 1);
    this.cell.setAttribute("aria-colindex", (this.active % explorer.heads) + 1);
    this.cell.setAttribute("aria-selected", explorer.isChosen(active.layer, active.head));
    this.cell.textContent = [
      `Layer ${active.layer}, head ${active.head}`,
      map.values ? `${map.name}: ${value(active.index)}` : active.facts[0],
      explorer.isOff(active.layer, active.head) ? "switched off" : "",
    ]
      .filter(Boolean)
      .join(", ");
    const { layer, head, index } = shown;
    Object.assign(this.readout.dataset, { layer, head, value: map.values ? map.values[index] : "" });
    this.readout.replaceChildren(
      element("b", {}, `L${layer} H${head}`),
      map.values ? element("b", { class: "x-value" }, value(index)) : "",
      ...shown.facts.map((fact) => element("span", {}, fact)),
    );
  }

  corner(place) {
    const { heads } = this.explorer;
    const step = this.size + GAP;
    return [LABELS_LEFT + (place % heads) * step, LABELS_TOP + Math.floor(place / heads) * step];
  }

  at(event) {
    const { heads, layers } = this.explorer;
    const box = this.element.getBoundingClientRect();
    const step = this.size + GAP;
    const x = Math.floor((event.clientX - box.left - LABELS_LEFT + GAP / 2) / step);
    const y = Math.floor((event.clientY - box.top - LABELS_TOP + GAP / 2) / step);
    return x >= 0 && x < heads && y >= 0 && y < layers ? y * heads + x : null;
  }

  hover(place) {
    if (place === this.hovered) return;
    this.hovered = place;
    this.paintOver();
  }

  choose(place, add) {
    const index = this.explorer.map.order[place];
    const { heads } = this.explorer;
    this.explorer.select(Math.floor(index / heads), index % heads, { add });
  }

  key(event) {
    const { heads, layers, map } = this.explorer;
    const row = this.active - (this.active % heads);
    const last = layers * heads - 1;
    const go = {
      ArrowLeft: this.active - 1,
      ArrowRight: this.active + 1,
      ArrowUp: this.active - heads,
      ArrowDown: this.active + heads,
      Home: event.ctrlKey ? 0 : row,
      End: event.ctrlKey ? last : row + heads - 1,
      PageUp: Math.max(this.active % heads, this.active - 6 * heads),
      PageDown: Math.min(last - heads + 1 + (this.active % heads), this.active + 6 * heads),
    }[event.key];
    const index = map.order[this.active];
    if (go !== undefined) this.active = go >= 0 && go <= last ? go : this.active;
    else if (event.key === "Enter" || event.key === " ")
      this.choose(this.active, event.shiftKey || event.ctrlKey || event.metaKey);
    else if (event.key === "x" && this.explorer.can("ablate"))
      this.explorer.toggleOff(Math.floor(index / heads), index % heads);
    else if (event.key === "X" && this.explorer.can("ablate")) this.explorer.toggleOff(Math.floor(index / heads));
    else return;
    event.preventDefault();
    this.paintOver();
  }
}
