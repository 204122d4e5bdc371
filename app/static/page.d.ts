// What the scripts of the app meet on its page: Gradio's HTML component, plotly.js, and `window.xlmrxl` itself.

import type * as explorer from "../../xlmrxl/views/attention.js";
import type { mountExplorer } from "./attention_explorer.js";
import type { copyText, saveFile } from "./files.js";
import type { insertMask } from "./insert_mask.js";
import type { mountPanel } from "./panel.js";
import type { Permalinks } from "./permalink.js";
import type { addPageSettings, mountStatesFiles } from "./states_files.js";
import type { showRunning } from "./stop_buttons.js";

/** What Gradio gives to `js_on_load` of an HTML component. */
export interface GradioHtml<Value, Server> {
  element: HTMLElement;
  /** Has the component tell Python of an event. */
  trigger(event: string, data: object): void;
  props: { value?: Value | null };
  /** The component's `server_functions`, by name. */
  server: Server;
  /** Calls back when a property of the component has changed. */
  watch(property: "value", onChange: () => void): void;
}

export interface PlotlyStep {
  label: string;
  method: "update" | "restyle" | "relayout" | "animate";
  args: unknown[];
}

export interface PlotlyLayout {
  title: { text: string };
  height?: number;
  legend?: object;
  paper_bgcolor?: string;
  plot_bgcolor?: string;
  sliders?: { active?: number; steps: PlotlyStep[] }[];
}

export interface PlotlyFigure {
  data: unknown[];
  layout: PlotlyLayout;
}

/** An element that plotly.js has drawn a figure into. */
export interface PlotlyElement extends HTMLElement {
  layout?: PlotlyLayout;
  on?(event: "plotly_sliderchange", onChange: (event: { step: PlotlyStep }) => void): void;
}

export type Plotly = {
  newPlot(element: HTMLElement, data: unknown[], layout: PlotlyLayout): Promise<void>;
  toImage(element: HTMLElement, options: object): Promise<string>;
  purge(element: HTMLElement): void;
} & Record<PlotlyStep["method"], (element: HTMLElement, ...args: unknown[]) => Promise<void>>;

declare global {
  interface Window {
    /** Set by `app/theme.py`, before the scripts run. */
    xlmrxlAddresses: { explorer: string; plotly: string; translations: string; languages: string[] };
    Plotly: Plotly;
    xlmrxl: {
      links: Permalinks;
      getLink(tab: string): string;
      pressLinkedButton(): void;
      copyText: typeof copyText;
      saveFile: typeof saveFile;
      showRunning: typeof showRunning;
      insertMask: typeof insertMask;
      addPageSettings: typeof addPageSettings;
      mountPanel: typeof mountPanel;
      mountStatesFiles: typeof mountStatesFiles;
      mountExplorer: typeof mountExplorer;
      loadExplorer(): Promise<typeof explorer>;
      loadPlotly(): Promise<Plotly>;
    };
  }
}
