// What the explorer knows and what was chosen: traits, requests, and what follows from them. Nothing here draws.

import { usePalette } from "./colours.js";
import { makeHeadValues, makePatterns, placeOnScale } from "./head_values.js";
import { formatNumber } from "./numbers.js";
import { writePython } from "./python.js";
import { chooseHead, nameSelection, requestMatrix } from "./selection.js";
import { chooseForm, completeSelected, completeSettings, isSame, shortenTraits } from "./settings.js";
import { Shown, unpackFloats, unpackMatrix, unpackThumbnails } from "./weights.js";

/** @import { Ablation, BriefTraits, Bytes, Events, Head, Matrix, MatrixRequest, Meta, Model, Query, Reply, Selected, Settings, Side, Statistic, TokenPair } from "./protocol" */
/** @import { Theme } from "./colours.js" */
/** @import { HeadValues } from "./head_values.js" */
/** @import { Unit } from "./weights.js" */

const HELD_BYTES = 1 << 26; // of matrices that were asked for
const SLICE = 700; // milliseconds that a part of a sweep should take

/** What has changed, as views are told. @typedef {"open" | "failed" | "map" | "head" | "focus" | "pins" | "off" | "theme" | "settings" | "size" | "error" | "late" | "sweep" | "form"} Part */
/** What is on screen. @typedef {{ draw(parts: Set<Part>): void }} View */
/** A reply, and its buffers. @typedef {{ reply: Reply, buffers: Bytes[] }} Answer */
/** What the map is of a statistic; `from` and `to` are the words of a pair. @typedef {Pick<Statistic, "name" | "label" | "unit"> & { scale?: Statistic["scale"], from?: string, to?: string }} Description */

/** What the map of all heads shows. @typedef {Description & HeadValues} HeadMapValues */

/** Return whether any of some parts has changed. @param {Set<Part>} parts @param {Part[]} names */
export function hasAny(parts, ...names) {
  return names.some((name) => parts.has(name));
}

export class Explorer {
  // Of the text that is open. Until one is, views draw nothing, and `meta`, `settings` and `selected` are null.
  meta = /** @type {Meta} */ (/** @type {unknown} */ (null));
  /** @type {Side[]} */
  sides = [];
  layers = 0;
  heads = 0;
  /** By side, of all heads. @type {Float32Array[]} */
  thumbnails = [];
  /** By `mapKey`, (layers × heads) values. @type {Map<string, Promise<Float32Array>>} */
  maps = new Map();
  /** The heads that a saved page holds; null for all. @type {Set<number> | null} */
  inside = null;
  /** By side, the importance of heads, as far as it is known. @type {{ values: Float32Array, done: number }[]} */
  swept = [];
  /** By request. @type {Map<string, Promise<Matrix>>} */
  cache = new Map();
  /** By name. @type {Map<string, Statistic>} */
  known = new Map();
  /** Those whose values come with `meta`. @type {Statistic[]} */
  measured = [];

  // What was chosen.
  settings = /** @type {Settings} */ (/** @type {unknown} */ (null));
  selected = /** @type {Selected} */ (/** @type {unknown} */ (null));
  /** By side, the places among rows and columns that are pointed at. @type {{ row: number | null, column: number | null }[]} */
  focus = [];
  /** By side, first tokens of units. @type {{ rows: Set<number>, columns: Set<number> }[]} */
  pins = [];

  // What follows.
  /** By side; one for a difference; null where it cannot be had. @type {Shown[] | null} */
  shown = null;
  /** @type {string | null} */
  error = null;
  /** @type {HeadMapValues | null} */
  map = null;
  /** @type {string | null} */
  mapError = null;
  /** @type {{ found?: Ablation[], error?: string, isWaiting?: boolean } | null} */
  ablation = null;
  /** Why nothing can be shown. @type {string | null} */
  failed = null;
  /** @type {{ settings: Settings, selected: Selected, chosen: Set<number>, off: Set<number> } | null} */
  marked = null;

  // The colours and fonts of the page, which it sets.
  /** @type {Theme} */
  theme = "light";
  ink = "";
  soft = "";
  line = "";
  wash = "";
  accent = "";
  paper = "";
  sans = "";
  mono = "";

  /** The turn of each thing that is asked for: what comes when another turn has begun is dropped. @type {Record<"meta" | "head" | "map" | "off", symbol | null>} */
  turns = { meta: null, head: null, map: null, off: null };
  isClosed = false;
  isPutting = false;
  count = 0;

  /** @param {Model} model see protocol.py */
  constructor(model) {
    this.model = model;
    /** @type {Set<View>} */
    this.views = new Set();
    /** @type {Set<Part>} */
    this.parts = new Set();
    /** By id, who asked. @type {Map<string, { resolve(answer: Answer): void, reject(error: Error): void }>} */
    this.waiting = new Map();
    /** By part, the turn of `wait`. @type {Map<Part, symbol>} */
    this.waits = new Map();
    /** Parts that are on their way. @type {Set<Part>} */
    this.late = new Set();
    this.name = Math.random().toString(36).slice(2); // two displays of one widget hear each other's replies
    /** @type {(() => void)[]} */
    this.ends = [];
    this.on("msg:custom", (reply, buffers) => this.receive(reply, buffers));
    this.on("change:meta", () => {
      this.open();
    });
    this.on("change:settings", () => this.adopt());
    this.on("change:selected", () => this.adopt());
  }

  /** Listen to the model until the explorer is closed. @template {keyof Events} Name @param {Name} event @param {Events[Name]} callback */
  on(event, callback) {
    this.model.on(event, callback);
    this.ends.push(() => this.model.off(event, callback));
  }

  close() {
    for (const end of this.ends) end();
    this.views.clear();
    this.isClosed = true;
  }

  /** Have all views drawn before the next frame. @param {Part[]} parts */
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

  /** Begin a turn. @param {keyof Explorer["turns"]} name @returns {() => boolean} whether it is still the last one */
  begin(name) {
    const turn = Symbol(name);
    this.turns[name] = turn;
    return () => this.turns[name] === turn;
  }

  // Data

  async open() {
    try {
      await this.read();
    } catch (error) {
      this.failed = `What the explorer was sent cannot be read here: ${messageOf(error)}`;
      this.tell("failed");
    }
  }

  async read() {
    const meta = this.model.get("meta");
    if (!meta?.sides?.length) return;
    const isLast = this.begin("meta");
    const buffers = this.model.get("buffers");
    const { layers, heads } = meta.sides[0];
    const count = layers * heads;
    const read = await Promise.all(
      meta.sides.map(async ({ thumbnail }, side) => ({
        thumbnails: await unpackThumbnails(buffers[2 * side], count, thumbnail ** 2),
        values: await unpackFloats(buffers[2 * side + 1]),
      })),
    );
    if (!isLast()) return;
    usePalette(meta.palette);
    Object.assign(this, { meta, layers, heads, sides: meta.sides });
    this.thumbnails = read.map(({ thumbnails }) => thumbnails);
    this.maps = new Map();
    this.measured = meta.statistics.filter(({ needs }) => needs === "weights");
    for (const [place, { name }] of this.measured.entries()) {
      for (const [side, { values }] of read.entries()) {
        this.maps.set(this.mapKey(side, name), Promise.resolve(values.subarray(place * count, (place + 1) * count)));
      }
    }
    this.inside = meta.inside ? new Set(meta.inside.map(([layer, head]) => layer * heads + head)) : null;
    this.swept = this.sides.map(() => ({ values: new Float32Array(count).fill(Number.NaN), done: 0 }));
    this.cache = new Map();
    this.focus = this.sides.map(() => ({ row: null, column: null }));
    this.pins = this.sides.map(() => ({ rows: new Set(), columns: new Set() }));
    this.ablation = null;
    this.shown = null;
    this.known = new Map(meta.statistics.map((known) => [known.name, known]));
    Object.assign(this, { settings: null, selected: null });
    this.tell("open");
    this.adopt();
  }

  /** Take over what the traits say, where it is new. */
  adopt() {
    if (!this.meta || this.isPutting) return;
    const settings = completeSettings(this.model.get("settings"), this.meta);
    const selected = completeSelected(this.model.get("selected"), this.meta);
    if (isSame(settings, this.settings) && isSame(selected, this.selected)) return;
    const isRestored = !this.settings && (settings.off.heads.length || settings.off.layers.length);
    this.settings = settings;
    this.selected = selected;
    this.refresh();
    if (isRestored) this.ablate();
  }

  /** Change settings. @param {Partial<Settings>} patch */
  set(patch) {
    this.put({ settings: { ...this.settings, ...patch } });
  }

  /** Set traits, here and in the model. @param {{ settings?: Settings, selected?: Selected }} traits */
  put(traits) {
    Object.assign(this, traits);
    this.isPutting = true; // a model tells of every change, and of one trait before the next is set
    if (traits.selected) this.model.set("selected", traits.selected);
    if (traits.settings) this.model.set("settings", traits.settings);
    this.isPutting = false;
    this.model.save_changes();
    this.refresh();
  }

  /** See `chooseHead`. @param {number} layer @param {number} head @param {{ isAdded?: boolean, side?: number }} how */
  select(layer, head, how = {}) {
    this.put(chooseHead(this.settings, this.selected, [layer, head], how));
  }

  // Requests

  /** Ask the model. @param {Query} query @returns {Promise<Answer>} */
  ask(query) {
    const id = `${this.name}-${++this.count}`;
    return new Promise((resolve, reject) => {
      this.waiting.set(id, { resolve, reject });
      this.model.send({ id, ...query });
    });
  }

  /** @param {Reply} reply @param {Bytes[]} buffers */
  receive(reply, buffers) {
    const id = reply?.id ?? "";
    const asker = this.waiting.get(id);
    if (!asker) return;
    this.waiting.delete(id);
    if (reply.error) asker.reject(new Error(reply.error));
    else asker.resolve({ reply, buffers });
  }

  /** Return a matrix, which is asked for once. @param {MatrixRequest} request @returns {Promise<Matrix>} */
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
    for (const [oldest] of this.cache) {
      if (this.cache.size <= Math.max(4, HELD_BYTES / (4 * size * size))) break;
      this.cache.delete(oldest);
    }
    return found;
  }

  /** Return what a statistic is computed from; nothing for a pair of tokens. @param {Settings["statistic"]} statistic */
  needs(statistic) {
    return typeof statistic === "string" ? this.known.get(statistic)?.needs : undefined;
  }

  /** @param {number} side @param {string | TokenPair} by */
  mapKey(side, by) {
    return JSON.stringify([side, by]);
  }

  /** Return the values of all heads, which are asked for once. @param {number} side @param {string | TokenPair} by */
  mapOf(side, by) {
    const key = this.mapKey(side, by);
    const known = this.maps.get(key);
    if (known) return known;
    const found =
      this.needs(by) === "ablation" && this.can("head_importance")
        ? this.sweep(side)
        : this.ask({ type: "rank", side, by }).then(({ reply, buffers }) => reply.map ?? unpackFloats(buffers[0]));
    this.maps.set(key, found);
    found.catch(() => this.maps.delete(key));
    return found;
  }

  /**
   * Return the importance of all heads, asked for in parts; it ends where nobody looks at it any more, and can go on later.
   *
   * @param {number} side
   */
  async sweep(side) {
    const { meta, layers, heads } = this;
    const swept = this.swept[side];
    const every = Array.from(
      { length: layers * heads },
      (_, i) => /** @type {Head} */ ([Math.floor(i / heads), i % heads]),
    );
    for (let count = Math.min(4, heads); swept.done < every.length; ) {
      const isOpen = !this.isClosed && this.meta === meta;
      if (!isOpen || this.needs(this.settings.statistic) !== "ablation" || !this.mapSides.includes(side)) {
        throw new Error("Stopped.");
      }
      const asked = every.slice(swept.done, swept.done + count);
      const begun = performance.now();
      const { buffers } = await this.ask({ type: "head_importance", side, heads: asked });
      swept.values.set(await unpackFloats(buffers[0]), swept.done);
      swept.done += asked.length;
      count = Math.max(1, Math.min(heads, 4 * count, Math.round((count * SLICE) / (performance.now() - begun))));
      this.tell("sweep");
    }
    return swept.values;
  }

  /** How far the sweep is that the map waits for, in heads, or null. */
  get sweeping() {
    if (!this.settings || this.needs(this.settings.statistic) !== "ablation" || !this.can("head_importance"))
      return null;
    const done = this.mapSides.reduce((sum, side) => sum + this.swept[side].done, 0);
    const total = this.mapSides.length * this.layers * this.heads;
    return done < total ? { done, total } : null;
  }

  /** @param {number} side */
  request(side) {
    return requestMatrix(this.settings, this.selected, this.heads, side);
  }

  /** Bring what is shown in line with what was chosen; what comes too late is dropped. */
  refresh() {
    this.tell("map", "settings");
    this.refreshMap();
    this.refreshHead();
  }

  async refreshHead() {
    const isLast = this.begin("head");
    const end = this.wait("head");
    try {
      const matrices = await Promise.all(this.sides.map((_, side) => this.matrix(this.request(side))));
      if (!isLast()) return;
      const settings = { ...this.settings, mass: this.settings.mass[this.form] };
      const sides = matrices.map((matrix, side) => Shown.of(matrix, this.sides[side], settings));
      const shown = settings.compare === "difference" ? [Shown.difference(sides[0], sides[1])] : sides;
      this.shown = shown;
      this.error = null;
      this.focus = this.focus.map(({ row, column }, side) => {
        const isThere = (row ?? 0) < shown[side]?.rows.length && (column ?? 0) < shown[side].columns.length;
        return isThere ? { row, column } : { row: null, column: null };
      });
      this.tell("head", "focus");
    } catch (error) {
      if (!isLast()) return;
      this.error = messageOf(error);
      this.shown = null;
      this.tell("error");
    } finally {
      end();
    }
  }

  /** Say that a part is on its way if it takes longer than a moment; returns what ends that. @param {Part} part */
  wait(part) {
    const turn = Symbol(part);
    this.waits.set(part, turn);
    /** @param {boolean} isLate */
    const say = (isLate) => {
      if (turn !== this.waits.get(part)) return;
      if (isLate) this.late.add(part);
      else this.late.delete(part);
      this.tell("late");
    };
    const timer = setTimeout(() => say(true), 150);
    return () => {
      clearTimeout(timer);
      say(false);
    };
  }

  async refreshMap() {
    const isLast = this.begin("map");
    const { statistic, order } = this.settings;
    const end = this.wait("map");
    const patterns = { ...makePatterns(this.layers * this.heads), ...this.describe(null) };
    try {
      if (statistic === null) {
        this.map = patterns;
      } else {
        if (this.needs(statistic) === "ablation") this.map ??= patterns; // it may take long
        const found = await Promise.all(this.mapSides.map((side) => this.mapOf(side, statistic)));
        if (!isLast()) return;
        const about = this.describe(statistic);
        this.map = { ...makeHeadValues(found, order, about.scale === "diverging"), ...about };
      }
      this.mapError = null;
    } catch (error) {
      if (!isLast()) return;
      this.mapError = messageOf(error);
      this.map ??= patterns;
    } finally {
      end();
    }
    this.tell("map");
  }

  async ablate() {
    const isLast = this.begin("off");
    const { heads, layers, positions } = this.settings.off;
    if (!heads.length && !layers.length) {
      this.ablation = null;
      this.tell("off", "map");
      return;
    }
    this.ablation = { isWaiting: true };
    this.tell("off", "map");
    try {
      const asked = this.sides.map((_, side) => this.ask({ type: "ablate", side, heads, layers, positions }));
      const replies = await Promise.all(asked);
      if (!isLast()) return;
      this.ablation = { found: replies.flatMap(({ reply }) => reply.found ?? []) };
    } catch (error) {
      if (!isLast()) return;
      this.ablation = { error: messageOf(error) };
    }
    this.tell("off");
  }

  /** Switch a head, or a layer as a whole, off or on again. @param {number} layer @param {number | null} head */
  toggleOff(layer, head = null) {
    const { heads, layers } = this.settings.off;
    this.switchOff(head === null ? { layers: toggle(layers, layer) } : { heads: toggle(heads, [layer, head]) });
  }

  /** @param {Partial<Settings["off"]>} patch */
  switchOff(patch) {
    this.set({ off: { ...this.settings.off, ...patch } });
    this.ablate();
  }

  /** @param {number} layer @param {number} head */
  isOff(layer, head) {
    return this.marks.off.has(layer * this.heads + head);
  }

  // What follows

  /** The sides that the map's statistic is of. */
  get mapSides() {
    const { statistic, compare } = this.settings;
    if (this.needs(statistic) === "comparison") return [0];
    return compare === "difference" ? [0, 1] : [this.selected.side];
  }

  /** What of the traits differs from the defaults, for a link. @returns {BriefTraits} */
  get brief() {
    return shortenTraits(this.settings, this.selected);
  }

  /** Return lines of Python that give what is shown. @param {string} begun those that make `inspection`, or `first` and `second` */
  python(begun) {
    return writePython({ ...this, request: this.request(0), mapSides: this.mapSides }, begun);
  }

  get form() {
    return chooseForm(this.settings, this.sides);
  }

  /** @param {string} what one of `meta.abilities` */
  can(what) {
    return this.meta.abilities.includes(what);
  }

  get cells() {
    return this.map?.values ? (this.settings.cells ?? "values") : "patterns";
  }

  /** Return where on the ramp a value of the map is, from 0 to 1. @param {number} value */
  shareOf(value) {
    return this.map ? placeOnScale(this.map, value) : 0;
  }

  /** @param {number} layer @param {number} head */
  isChosen(layer, head) {
    return this.marks.chosen.has(layer * this.heads + head);
  }

  /** Sets of the heads that are chosen and of those that are off: the map asks for each of them. */
  get marks() {
    const { settings, selected, heads } = this;
    if (this.marked?.settings !== settings || this.marked.selected !== selected) {
      /** @param {Head[]} list */
      const places = (list) => list.map(([layer, head]) => layer * heads + head);
      /** @param {number} layer */
      const row = (layer) => Array.from({ length: heads }, (_, head) => layer * heads + head);
      const chosen = new Set(places([...settings.chosen, [selected.layer, selected.head]]));
      const off = new Set([...places(settings.off.heads), ...settings.off.layers.flatMap(row)]);
      this.marked = { settings, selected, chosen, off };
    }
    return this.marked;
  }

  /** What the head view shows, in words. */
  get title() {
    return nameSelection(this.settings, this.selected);
  }

  get mapTitle() {
    if (this.map?.values) return `${this.map.name} of all heads${this.map.isDifference ? ", second minus first" : ""}`;
    return "All heads, each to its own largest weight";
  }

  /** Return what the map is about, in words. @param {Settings["statistic"]} statistic @returns {Description} */
  describe(statistic) {
    if (statistic === null) return { name: "", label: "", unit: "" };
    if (typeof statistic === "string") return this.known.get(statistic) ?? { name: statistic, label: "", unit: "" };
    const { tokens } = this.sides[this.selected.side];
    const [from, to] = [statistic.queries, statistic.keys].map((list) => list.map((i) => tokens.text[i]).join(" "));
    return { name: `${from} → ${to}`, label: "", unit: "", from, to };
  }

  /** Return the values of a head that need not be asked for, as text. @param {number} layer @param {number} head */
  async facts(layer, head) {
    const at = layer * this.heads + head;
    const facts = [];
    for (const { name, unit } of this.measured) {
      const values = await this.mapOf(this.selected.side, name);
      facts.push(`${name} ${formatNumber(values[at])}${unit === "mass" ? "" : ` ${unit}`}`);
    }
    return facts;
  }

  /**
   * Point at a row (a query), a column (a key), or a cell of a side; null for nothing.
   *
   * @param {number} side
   * @param {number | null} row
   * @param {number | null} column
   */
  point(side, row, column) {
    const shared = this.meta.same_tokens ? this.focus.keys() : [side];
    for (const other of shared) this.focus[other] = { row, column };
    this.tell("focus");
  }

  /**
   * Pin or unpin a unit.
   *
   * @param {number} side
   * @param {"rows" | "columns"} axis as a query or as a key
   * @param {Unit} unit
   * @param {boolean} isKept whether it stays pinned if it is
   */
  pin(side, axis, unit, isKept = false) {
    const shared = this.meta.same_tokens ? this.pins.keys() : [side];
    for (const other of shared) {
      const pins = this.pins[other][axis];
      if (pins.has(unit.tokens[0]) && !isKept) pins.delete(unit.tokens[0]);
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

  /** @param {number} side @param {"rows" | "columns"} axis @param {Unit} unit */
  isPinned(side, axis, unit) {
    const pins = this.pins[side][axis];
    return pins.size > 0 && unit.tokens.some((token) => pins.has(token));
  }
}

/** Return a list with an item, or without it if it was there. @template T @param {T[]} list @param {T} item */
function toggle(list, item) {
  const without = list.filter((one) => !isSame(one, item));
  return without.length < list.length ? without : [...list, item];
}

/** @param {unknown} error */
function messageOf(error) {
  return error instanceof Error ? error.message : String(error);
}
