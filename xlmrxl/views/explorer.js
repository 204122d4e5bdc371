// @ts-nocheck: not typed yet
// What the explorer knows and what was chosen: traits, requests, and what follows from them. Nothing here draws.

import { usePalette } from "./colours.js";
import { formatNumber } from "./numbers.js";
import { pythonOf } from "./python.js";
import { brief, completed, formOf, same, validHead } from "./settings.js";
import { Shown, unpackFloats, unpackMatrix, unpackThumbnails } from "./weights.js";

const HELD_BYTES = 1 << 26; // of matrices that were asked for
const SLICE = 700; // milliseconds that a part of a sweep should take

export class Explorer {
  /** model: get, set, on, off, save_changes, send; see protocol.py. */
  constructor(model) {
    this.model = model;
    this.views = new Set();
    this.parts = new Set();
    this.waiting = new Map(); // by id, who asked
    this.waits = {};
    this.late = new Set(); // parts that are on their way
    this.name = Math.random().toString(36).slice(2); // two displays of one widget hear each other's replies
    this.count = 0;
    this.on("msg:custom", (reply, buffers) => this.heard(reply, buffers));
    this.on("change:meta", () => this.open());
    this.on("change:settings", () => this.adopt());
    this.on("change:selected", () => this.adopt());
  }

  on(event, heard) {
    this.model.on(event, heard);
    this.heardBy = [...(this.heardBy ?? []), [event, heard]];
  }

  close() {
    for (const [event, heard] of this.heardBy) this.model.off(event, heard);
    this.views.clear();
    this.closed = true;
  }

  /** Views have `draw(parts)`, called before the next frame: "open", "map", "head", "focus", "pins", "off", "theme", "settings", "size", "error", "late", "sweep". */
  tell(...parts) {
    if (!this.parts.size) {
      requestAnimationFrame(() => {
        const told = this.parts;
        this.parts = new Set();
        for (const view of this.views) view.draw(told);
      });
    }
    for (const part of parts) this.parts.add(part);
  }

  // Data

  open() {
    return this.read().catch((error) => {
      this.failed = `What the explorer was sent cannot be read here: ${error.message}`;
      this.tell("failed");
    });
  }

  async read() {
    const meta = this.model.get("meta");
    if (!meta?.sides?.length) return;
    const turn = Symbol("meta");
    this.turn = turn;
    const buffers = this.model.get("buffers");
    const { layers, heads } = meta.sides[0];
    const read = await Promise.all(
      meta.sides.map(async ({ thumbnail }, side) => [
        await unpackThumbnails(buffers[2 * side], layers * heads, thumbnail ** 2),
        await unpackFloats(buffers[2 * side + 1]),
      ]),
    );
    if (turn !== this.turn) return;
    usePalette(meta.palette);
    Object.assign(this, { meta, layers, heads, sides: meta.sides });
    this.thumbnails = read.map(([thumbnails]) => thumbnails);
    this.maps = new Map(); // "side name" to a promise of (layers × heads) values
    for (const [place, { name }] of meta.statistics.entries()) {
      const at = place * layers * heads;
      for (const [side, [, values]] of read.entries()) {
        this.maps.set(this.mapKey(side, name), Promise.resolve(values.subarray(at, at + layers * heads)));
      }
    }
    this.inside = meta.inside && new Set(meta.inside.map(([layer, head]) => layer * heads + head));
    this.swept = this.sides.map(() => ({ values: new Float32Array(layers * heads).fill(NaN), done: 0 }));
    this.cache = new Map();
    this.focus = this.sides.map(() => ({ row: null, column: null }));
    this.pins = this.sides.map(() => ({ rows: new Set(), columns: new Set() })); // first tokens of units
    this.ablation = null;
    this.shown = null;
    this.known = new Map([...meta.statistics, ...meta.on_demand].map((known) => [known.name, known]));
    this.settings = this.selected = null;
    this.tell("open");
    this.adopt();
  }

  /** Take over what the traits say, where it is new. */
  adopt() {
    if (!this.meta || this.putting) return;
    const settings = completed(this.model.get("settings") ?? {}, this.meta);
    const selected = validHead(this.model.get("selected"), this.meta);
    if (same(settings, this.settings) && same(selected, this.selected)) return;
    const restored = !this.settings && (settings.off.heads.length || settings.off.layers.length);
    this.settings = settings;
    this.selected = selected;
    this.refresh();
    if (restored) this.ablate();
  }

  /** Change settings. */
  set(patch) {
    this.put({ settings: { ...this.settings, ...patch } });
  }

  /** Set traits, here and in the model. */
  put(traits) {
    Object.assign(this, traits);
    this.putting = true; // a model tells of every change, and of one trait before the next is set
    for (const [name, value] of Object.entries(traits)) this.model.set(name, value);
    this.putting = false;
    this.model.save_changes();
    this.refresh();
  }

  /** Choose a head; `add` it to those that were chosen (or take it out again), or have it alone. */
  select(layer, head, { add = false, side = this.selected.side } = {}) {
    let { show, chosen } = this.settings;
    const now = [this.selected.layer, this.selected.head];
    if (add) {
      const held = chosen.length ? chosen : [now];
      const without = held.filter((pair) => !same(pair, [layer, head]));
      chosen = without.length < held.length && without.length ? without : [...without, [layer, head]];
      if (!chosen.some((pair) => same(pair, [layer, head]))) [layer, head] = chosen[chosen.length - 1];
      if (show === "head" && chosen.length > 1) show = "mean";
    } else {
      chosen = [[layer, head]];
    }
    if (chosen.length < 2 && (show === "mean" || show === "max")) show = "head";
    this.put({ selected: { layer, head, side }, settings: { ...this.settings, show, chosen } });
  }

  // Requests

  ask(request) {
    const id = `${this.name}-${++this.count}`;
    return new Promise((resolve, reject) => {
      this.waiting.set(id, { resolve, reject });
      this.model.send({ id, ...request });
    });
  }

  heard(reply, buffers) {
    const asker = this.waiting.get(reply?.id);
    if (!asker) return;
    this.waiting.delete(reply.id);
    if (reply.error) asker.reject(new Error(reply.error));
    else asker.resolve({ reply, buffers });
  }

  matrix(request) {
    const key = JSON.stringify(request);
    const side = this.sides[request.side];
    const size = side.tokens.text.length;
    const found =
      this.cache.get(key) ??
      this.ask(request).then(({ reply, buffers }) => reply.matrix ?? unpackMatrix(buffers[0], side));
    this.cache.delete(key);
    this.cache.set(key, found);
    found.catch(() => this.cache.delete(key));
    while (this.cache.size > Math.max(4, HELD_BYTES / (4 * size * size))) {
      this.cache.delete(this.cache.keys().next().value);
    }
    return found;
  }

  mapKey(side, by) {
    return JSON.stringify([side, by]);
  }

  mapOf(side, by) {
    const key = this.mapKey(side, by);
    if (!this.maps.has(key)) {
      const found =
        by === "importance" && this.can("sweep")
          ? this.sweep(side)
          : this.ask({ type: "rank", side, by }).then(({ reply, buffers }) => reply.map ?? unpackFloats(buffers[0]));
      this.maps.set(key, found);
      found.catch(() => this.maps.delete(key));
    }
    return this.maps.get(key);
  }

  /** The importance of all heads, asked for in parts; it ends where nobody looks at it any more, and can go on later. */
  async sweep(side) {
    const { meta, layers, heads } = this;
    const swept = this.swept[side];
    const every = Array.from({ length: layers * heads }, (_, i) => [Math.floor(i / heads), i % heads]);
    for (let count = Math.min(4, heads); swept.done < every.length; ) {
      const seen = !this.closed && this.meta === meta;
      if (!seen || this.settings.statistic !== "importance" || !this.mapSides.includes(side))
        throw new Error("Stopped.");
      const asked = every.slice(swept.done, swept.done + count);
      const begun = performance.now();
      const { buffers } = await this.ask({ type: "sweep", side, heads: asked });
      swept.values.set(await unpackFloats(buffers[0]), swept.done);
      swept.done += asked.length;
      count = Math.max(1, Math.min(heads, 4 * count, Math.round((count * SLICE) / (performance.now() - begun))));
      this.tell("sweep");
    }
    return swept.values;
  }

  /** How far the sweep is that the map waits for: {done, total} in heads, or null. */
  get sweeping() {
    if (this.settings?.statistic !== "importance" || !this.can("sweep")) return null;
    const done = this.mapSides.reduce((sum, side) => sum + this.swept[side].done, 0);
    const total = this.mapSides.length * this.layers * this.heads;
    return done < total ? { done, total } : null;
  }

  request(side) {
    const { show, chosen } = this.settings;
    const { layer, head } = this.selected;
    const row = Array.from({ length: this.heads }, (_, i) => [layer, i]);
    switch (show) {
      case "mean":
      case "max":
        if (chosen.length > 1) return { type: show, side, heads: chosen };
        return { type: "head", side, layer, head };
      case "layer-mean":
      case "layer-max":
        return { type: show.slice(6), side, heads: row };
      case "all-mean":
      case "all-max":
        return { type: show.slice(4), side, heads: null };
      case "rollout":
        return { type: "rollout", side, up_to: layer };
      default:
        return { type: "head", side, layer, head };
    }
  }

  /** Bring what is shown in line with what was chosen; what comes too late is dropped. */
  refresh() {
    this.tell("map", "settings");
    this.refreshMap();
    this.refreshHead();
  }

  async refreshHead() {
    const turn = Symbol("head");
    this.turnHead = turn;
    const done = this.wait("head");
    try {
      const matrices = await Promise.all(this.sides.map((_, side) => this.matrix(this.request(side))));
      if (turn !== this.turnHead) return;
      const settings = { ...this.settings, mass: this.settings.mass[this.form] };
      const shown = matrices.map((matrix, side) => Shown.of(matrix, this.sides[side], settings));
      this.shown = settings.compare === "difference" ? [Shown.difference(...shown)] : shown;
      this.error = null;
      this.focus.forEach((focus, side) => {
        const now = this.shown[side];
        if (!now || focus.row >= now.rows.length || focus.column >= now.columns.length)
          this.focus[side] = { row: null, column: null };
      });
      this.tell("head", "focus");
    } catch (error) {
      if (turn !== this.turnHead) return;
      this.error = error.message;
      this.shown = null;
      this.tell("error");
    } finally {
      done();
    }
  }

  /** Say that a part is on its way if it takes longer than a moment; returns what ends that. */
  wait(part) {
    const turn = Symbol(part);
    this.waits[part] = turn;
    const late = (is) => {
      if (turn !== this.waits[part]) return;
      this.late[is ? "add" : "delete"](part);
      this.tell("late");
    };
    const timer = setTimeout(() => late(true), 150);
    return () => {
      clearTimeout(timer);
      late(false);
    };
  }

  async refreshMap() {
    const turn = Symbol("map");
    this.turnMap = turn;
    const { statistic, order, compare } = this.settings;
    const done = this.wait("map");
    const map = { values: null, signed: false, order: Array.from({ length: this.layers * this.heads }, (_, i) => i) };
    try {
      if (statistic === "importance") this.map ??= { ...map, ...this.describe(null) }; // it may take long
      if (statistic !== null) {
        map.signed = compare === "difference" && statistic !== "change";
        const found = await Promise.all(this.mapSides.map((side) => this.mapOf(side, statistic)));
        if (turn !== this.turnMap) return;
        map.values = map.signed ? found[1].map((value, i) => value - found[0][i]) : found[0];
        const real = map.values.filter(Number.isFinite);
        map.peak = real.reduce((most, v) => Math.max(most, Math.abs(v)), 0);
        map.least = real.reduce((least, v) => Math.min(least, v), Infinity);
        map.most = real.reduce((most, v) => Math.max(most, v), -Infinity);
        if (order !== "model") {
          const sign = order === "highest" ? -1 : 1;
          const key = (i) => (Number.isFinite(map.values[i]) ? sign * map.values[i] : Infinity);
          map.order.sort((a, b) => key(a) - key(b) || a - b);
        }
      }
      Object.assign(map, this.describe(statistic));
      this.map = map;
      this.mapError = null;
    } catch (error) {
      if (turn !== this.turnMap) return;
      this.mapError = error.message;
      this.map ??= map;
    } finally {
      done();
    }
    this.tell("map");
  }

  async ablate() {
    const turn = Symbol("off");
    this.turnOff = turn;
    const { heads, layers, at } = this.settings.off;
    if (!heads.length && !layers.length) {
      this.ablation = null;
      this.tell("off", "map");
      return;
    }
    this.ablation = { waiting: true };
    this.tell("off", "map");
    try {
      const asked = this.sides.map((_, side) => this.ask({ type: "ablate", side, heads, layers, at }));
      const replies = await Promise.all(asked);
      if (turn !== this.turnOff) return;
      this.ablation = { found: replies.map(({ reply }) => reply.found) };
    } catch (error) {
      if (turn !== this.turnOff) return;
      this.ablation = { error: error.message };
    }
    this.tell("off");
  }

  /** Switch a head, or a layer as a whole, off or on again. */
  toggleOff(layer, head = null) {
    const flip = (list, item) =>
      list.some((one) => same(one, item)) ? list.filter((one) => !same(one, item)) : [...list, item];
    const { heads, layers } = this.settings.off;
    this.switchOff(head === null ? { layers: flip(layers, layer) } : { heads: flip(heads, [layer, head]) });
  }

  switchOff(patch) {
    this.set({ off: { ...this.settings.off, ...patch } });
    this.ablate();
  }

  isOff(layer, head) {
    return this.marks.off.has(layer * this.heads + head);
  }

  // What follows

  /** The sides that the map's statistic is of. */
  get mapSides() {
    const { statistic, compare } = this.settings;
    if (statistic === "change") return [0];
    return compare === "difference" ? [0, 1] : [this.selected.side];
  }

  /** What of the traits differs from the defaults, for a link. */
  get brief() {
    return brief(this.settings, this.selected);
  }

  /** Lines of Python that give what is shown; `begun` are those that make `inspection`, or `first` and `second`. */
  python(begun) {
    return pythonOf(this, begun);
  }

  get form() {
    return formOf(this.settings, this.sides);
  }

  can(what) {
    return this.meta.abilities.includes(what);
  }

  get cells() {
    return this.map?.values ? (this.settings.cells ?? "values") : "patterns";
  }

  /** Where on the ramp a value of the map is: from the least to the most, or around 0 for differences. */
  shareOf(value) {
    const { signed, peak, least, most } = this.map;
    if (signed) return peak ? (1 + value / peak) / 2 : 0.5;
    return most > least ? (value - least) / (most - least) : 0;
  }

  isChosen(layer, head) {
    return this.marks.chosen.has(layer * this.heads + head);
  }

  /** Sets of the heads that are chosen and of those that are off: the map asks for each of them. */
  get marks() {
    const { settings, selected, heads } = this;
    if (this.marked?.settings !== settings || this.marked.selected !== selected) {
      const places = (list) => list.map(([layer, head]) => layer * heads + head);
      const row = (layer) => Array.from({ length: heads }, (_, head) => layer * heads + head);
      const chosen = new Set(places([...settings.chosen, [selected.layer, selected.head]]));
      const off = new Set([...places(settings.off.heads), ...settings.off.layers.flatMap(row)]);
      this.marked = { settings, selected, chosen, off };
    }
    return this.marked;
  }

  /** What the head view shows, in words. */
  get title() {
    const { show, chosen } = this.settings;
    const { layer, head } = this.selected;
    const kind = show.endsWith("max") ? "Maximum" : "Mean";
    if (show === "rollout") return `Rollout, layers 0 to ${layer}`;
    if (show.startsWith("layer")) return `${kind} of layer ${layer}`;
    if (show.startsWith("all")) return `${kind} of all heads`;
    if (show !== "head" && chosen.length > 1) return `${kind} of ${chosen.length} heads`;
    return `L${layer} H${head}`;
  }

  get mapTitle() {
    if (this.map?.values) return `${this.map.name} of all heads${this.map.signed ? ", second minus first" : ""}`;
    return "All heads, each to its own largest weight";
  }

  /** What the map is about, in words. */
  describe(statistic) {
    if (statistic === null) return { name: "", label: "", unit: "" };
    if (typeof statistic === "string") return this.known.get(statistic) ?? { name: statistic, label: "", unit: "" };
    const { tokens } = this.sides[this.selected.side];
    const [from, to] = [statistic.queries, statistic.keys].map((list) => list.map((i) => tokens.text[i]).join(" "));
    return { name: `${from} → ${to}`, label: "", unit: "", from, to };
  }

  /** The values of a head that need not be asked for, as text. */
  async facts(layer, head, side = this.selected.side) {
    const at = layer * this.heads + head;
    const facts = [];
    for (const { name, unit } of this.meta.statistics) {
      facts.push(`${name} ${formatNumber((await this.mapOf(side, name))[at])}${unit === "mass" ? "" : ` ${unit}`}`);
    }
    return facts;
  }

  /** Point at a row (a query), a column (a key), or a cell of a side; null for nothing. */
  point(side, row, column) {
    const shared = this.meta.same_tokens ? this.focus.keys() : [side];
    for (const other of shared) this.focus[other] = { row, column };
    this.tell("focus");
  }

  /** Pin or unpin a unit, as a query ("rows") or as a key ("columns"). */
  pin(side, axis, unit, keep = false) {
    const shared = this.meta.same_tokens ? this.pins.keys() : [side];
    for (const other of shared) {
      const pins = this.pins[other][axis];
      if (pins.has(unit.tokens[0]) && !keep) pins.delete(unit.tokens[0]);
      else pins.add(unit.tokens[0]);
    }
    this.tell("focus", "pins");
  }

  unpin() {
    for (const { rows, columns } of this.pins) {
      rows.clear();
      columns.clear();
    }
    this.focus = this.focus.map(() => ({ row: null, column: null }));
    this.tell("focus", "pins");
  }

  isPinned(side, axis, unit) {
    const pins = this.pins[side][axis];
    return pins.size > 0 && unit.tokens.some((token) => pins.has(token));
  }
}
