// What the explorer is sent and what it asks for, as types: `protocol.py` says what each means.

/** A layer and one of its heads, both counted from 0. */
export type Head = [layer: number, head: number];

/** Bytes as a model hands them over: base64 where only JSON travels, else binary. */
export type Bytes = string | ArrayBuffer | ArrayBufferView;

export interface Source {
  model: string;
  revision: string | null;
  precision: string;
  version?: string;
  settings?: object;
}

/** 0 or 1 for the sentences of a pair, null for `<s>` and `</s>`. */
export type Segment = 0 | 1 | null;

/** Tokens or words: a list has an entry for each. Of words, `tokens` are those that they consist of. */
export interface Units {
  text: string[];
  segment: Segment[];
  tokens?: number[][];
}

export interface Side {
  text: string;
  text_pair: string | null;
  source: Source;
  layers: number;
  heads: number;
  thumbnail: number;
  tokens: Units;
  words: Units;
  mask_positions: number[];
}

/** As `head_statistics.py` declares them; `python` and `python_import` are the lines that give one. */
export interface Statistic {
  name: string;
  title: string;
  label: string;
  unit: string;
  needs: "weights" | "value_norms" | "ablation" | "comparison";
  scale: keyof Palette["scales"];
  python: string;
  python_import: string;
}

/** The colours of a scale, evenly spaced, for each theme. */
export interface ThemedScale {
  light: string[];
  dark: string[];
}

/** `hue` and `grey` have eleven steps from light to dark. */
export interface Palette {
  hue: string[];
  grey: string[];
  warning: { light: string; dark: string };
  scales: { sequential: ThemedScale; diverging: ThemedScale };
}

export interface Meta {
  version: number;
  same_tokens: boolean;
  abilities: string[];
  palette: Palette;
  statistics: Statistic[];
  sides: Side[];
  /** Of a saved page: the heads that it holds, null for all. */
  inside?: Head[] | null;
}

/** `meta` and `buffers` as one. */
export type First = Meta & { buffers: Bytes[] };

/** Two lists of tokens: the attention from the first to the second. */
export interface TokenPair {
  queries: number[];
  keys: number[];
}

export interface Selected {
  layer: number;
  head: number;
  side: number;
}

export type Between = "all" | "AA" | "AB" | "BA" | "BB";

export interface Off {
  heads: Head[];
  layers: number[];
  positions: number[] | null;
}

export interface Settings {
  form: "matrix" | "lines" | null;
  show: "head" | "mean" | "max" | "layer-mean" | "layer-max" | "all-mean" | "all-max" | "rollout";
  chosen: Head[];
  units: "pieces" | "words";
  between: Between;
  special: boolean;
  renormalise: boolean;
  mass: { matrix: number; lines: number };
  statistic: string | TokenPair | null;
  order: "model" | "highest" | "lowest";
  cells: "patterns" | "values" | null;
  compare: "sides" | "difference";
  off: Off;
}

/** What of the traits differs from the defaults. */
export interface BriefTraits {
  selected?: { layer: number; head: number; side?: number };
  settings?: {
    [Name in keyof Settings]?: Settings[Name] extends Off | Settings["mass"] ? Partial<Settings[Name]> : Settings[Name];
  };
}

export type MatrixRequest =
  | { type: "head"; side: number; layer: number; head: number }
  | { type: "mean" | "max"; side: number; heads: Head[] | null }
  | { type: "rollout"; side: number; up_to: number };

export type Query =
  | MatrixRequest
  | { type: "rank"; side: number; by: string | TokenPair }
  | { type: "ablate"; side: number; heads: Head[]; layers: number[]; positions: number[] | null }
  | { type: "head_importance"; side: number; heads: Head[] }
  | { type: "html"; heads: Head[]; selected: Selected; settings: Partial<Settings> };

export type Request = Query & { id: string };

/** A prediction before and after heads were switched off. */
export interface Outcome {
  text: string;
  before: number;
  after: number;
}

export interface Effect {
  title: string;
  position: number | null;
  kl: number | null;
  outcomes: Outcome[];
}

export interface Ablation {
  effects: Effect[];
}

/** How each row's weights, and what they may be off by, look in memory. */
export interface Matrix {
  values: Float32Array;
  /** How far those of a row may be from the model's. */
  errors: Float32Array;
}

export interface Reply {
  id?: string;
  type?: string;
  error?: string;
  found?: Ablation;
  /** Only a saved page, which has no buffers to send, answers with these. */
  matrix?: Matrix;
  map?: Float32Array;
}

/** A reply with its buffers in base64; a saved page sends none. */
export type JsonReply = Reply & { buffers?: Bytes[] };

export interface Traits {
  meta: Meta | null;
  buffers: Bytes[];
  selected: Partial<Selected>;
  settings: Partial<Settings>;
}

/** What a model calls back for, and with what. */
export type Events = {
  [Name in `change:${keyof Traits}`]: () => void;
} & { "msg:custom": (reply: Reply, buffers: DataView[]) => void };

/** What the explorer needs of a model of anywidget. */
export interface Model {
  get<Name extends keyof Traits>(name: Name): Traits[Name];
  set<Name extends keyof Traits>(name: Name, value: Traits[Name]): void;
  save_changes(): void;
  on<Name extends keyof Events>(event: Name, callback: Events[Name]): void;
  off<Name extends keyof Events>(event: Name, callback: Events[Name]): void;
  send(request: Request): void;
}

/** What `export.py` puts into a page. */
export interface SavedData {
  first: First;
  selected: Partial<Selected>;
  settings: Partial<Settings>;
  /** By side, the matrix of each head inside. */
  heads: Bytes[][];
  /** By side, to the last layer. */
  rollout: Bytes[];
  /** By the name of a statistic and by side. */
  maps: Record<string, Bytes[]>;
}
