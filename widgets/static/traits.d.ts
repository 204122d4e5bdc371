// The traits of each widget that its page knows: the classes in `widgets/*.py` say what each means.

/** Those of every task: see `widgets/task.py`. */
export interface TaskTraits {
  error: string;
  working: boolean;
  /** How much is done and how much there is, or nothing. */
  progress: number[];
  asked: number;
  answered: number;
}

/** A task whose answer is a rendered result. */
export interface ResultTraits extends TaskTraits {
  html: string;
}

export interface FillTraits extends ResultTraits {
  text: string;
  method: string;
  top_k: number;
  selected: number[];
}

export interface ChooseTraits extends ResultTraits {
  prompt: string;
  choices: string[];
  question: string;
  language: string;
  form: { languages: string[] };
}

export interface ClassifyTraits extends ResultTraits {
  text: string;
  text_pair: string;
  labels: string[] | Record<string, string>;
  task: string;
  language: string;
  explained: string;
  /** Of each task and language its labels; `pairs` are the tasks that read pairs, or whether the model does. */
  form: { tasks: Record<string, Record<string, string[]>>; pairs: string[] | boolean };
}

export interface ExplorerTraits extends TaskTraits {
  text: string;
  text_pair: string;
  other: string;
  found: { text?: string };
}

/** What `states.js` draws: see `HiddenStateExplorer._shown`. */
export interface FoundStates {
  view: string;
  what: string;
  /** The controls that the view has. */
  uses: string[];
  views: [name: string, label: string][];
  layers: number;
  names: string[];
  units: string[];
  tokens: string[][];
  /** As JSON, or nothing. */
  figure: string;
}

/** Of widgets with a figure. */
export interface FigureTraits {
  dark: boolean;
}

export interface StatesTraits extends TaskTraits, FigureTraits {
  texts: string[];
  view: string;
  state: number;
  position: number | null;
  unit: string;
  text_index: number;
  other_index: number;
  remove_mean: boolean;
  targets: string[];
  found: FoundStates;
}

export interface ResultViewTraits extends FigureTraits {
  state: number;
  drawn: string;
  name: string;
}

/** What Python answers to a request: its content comes as a buffer. */
export interface FileReply {
  type?: string;
  error?: string;
}

/** A model of anywidget with some traits. */
export interface WidgetModel<Traits> {
  get<Name extends keyof Traits>(name: Name): Traits[Name];
  set<Name extends keyof Traits>(name: Name, value: Traits[Name]): void;
  save_changes(): void;
  on(event: `change:${keyof Traits & string}`, callback: () => void): void;
  on(event: "msg:custom", callback: (content: FileReply, buffers: DataView<ArrayBuffer>[]) => void): void;
  off(event: `change:${keyof Traits & string}`, callback: () => void): void;
  off(event: "msg:custom", callback: (content: FileReply, buffers: DataView<ArrayBuffer>[]) => void): void;
  send(message: object): void;
}

/** What anywidget gives to `render`. */
export interface Mounted<Traits> {
  model: WidgetModel<Traits>;
  el: HTMLElement;
}
