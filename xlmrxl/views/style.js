// The explorer's style sheet. It stands in a shadow root, so that nothing of the page around comes in and nothing goes
// out. Sizes: 12, 13, 15, 19 px; hairlines; one hue. Widths go by the explorer, not by the window.

export const STYLE = `
:host { display: block; }
.x {
  --ink: var(--grey-900); --soft: var(--grey-600); --faint: var(--grey-500); --line: var(--grey-300); --edge: var(--grey-400); --paper: var(--xlmrxl-paper, #ffffff); --wash: var(--grey-100);
  --accent: var(--hue-600); --tint: var(--hue-100); --bar: var(--hue-600); --pale: var(--hue-300); --warning: var(--warning-light); color-scheme: light;
  --sans: "IBM Plex Sans", var(--jp-ui-font-family, system-ui), "Noto Sans", sans-serif;
  --mono: "IBM Plex Mono", var(--jp-code-font-family, ui-monospace), "Noto Sans Mono", monospace;
  container-type: inline-size; direction: var(--xlmrxl-direction, ltr); text-align: start; color: var(--ink); background: var(--paper);
  font: 400 13px/1.45 var(--sans); -webkit-text-size-adjust: 100%;
}
.x[data-theme="dark"] {
  --ink: var(--grey-100); --soft: #b4bcbf; --faint: var(--grey-400); --line: var(--grey-700); --edge: var(--grey-600); --paper: var(--xlmrxl-paper, var(--grey-900)); --wash: var(--grey-800);
  --accent: var(--hue-300); --tint: var(--hue-800); --bar: var(--hue-300); --pale: var(--hue-600); --warning: var(--warning-dark); color-scheme: dark;
}
.x *, .x *::before { box-sizing: border-box; }
.x [hidden] { display: none !important; }
.x :focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
.x :where(h2, h3, p, ol, fieldset, dl, dd) { margin: 0; padding: 0; border: 0; min-width: 0; }
.x ol { list-style: none; }
.x-unseen {
  position: absolute; width: 1px; height: 1px; margin: 0; overflow: hidden; clip-path: inset(50%); white-space: nowrap;
}
.x-frame { position: relative; padding: 14px 16px 16px; }

/* Top: what is looked at. */
.x-top { display: flex; flex-wrap: wrap; align-items: baseline; gap: 2px 14px; padding-block-end: 12px; padding-inline-end: 44px; }
.x-top h2 { font: 600 19px/1.3 var(--sans); }
.x-top p { color: var(--soft); overflow-wrap: anywhere; }
.x-top button { position: absolute; top: 12px; inset-inline-end: 16px; min-width: 28px; }
.x-inside { flex-basis: 100%; }
.x-help { margin: 0 0 14px; padding: 10px 14px; background: var(--wash); }
.x-help dl { display: grid; grid-template-columns: max-content minmax(0, 1fr); gap: 3px 16px; }
.x-help dt { font: 400 12px/1.6 var(--mono); color: var(--soft); }

.x-body { display: grid; grid-template-columns: minmax(0, 1fr); gap: 22px 40px; }
.x-section > h3, .x-title {
  display: flex; flex-wrap: wrap; align-items: baseline; gap: 2px 10px; margin-bottom: 10px; padding-bottom: 5px;
  border-bottom: 1px solid var(--line); font-size: 13px; font-weight: 600; line-height: 1.4; color: var(--soft);
}
.x-title { align-items: center; min-height: 34px; }
.x-title .x-field, .x-title .x-segmented { font-weight: 400; color: var(--ink); }
.x-title h3 { margin-inline-end: auto; font: 600 15px/1.3 var(--sans); color: var(--ink); }
@container (min-width: 1000px) {
  .x-body { grid-template-columns: minmax(0, min(594px, 50%)) minmax(0, 1fr); grid-template-rows: repeat(3, auto) 1fr; }
  .x-body { grid-template-areas: "heads head" "find head" "off head" "save head"; }
  .x-body.x-two { grid-template-areas: "heads find" "heads off" "heads save" "head head"; grid-template-rows: auto auto 1fr auto; }
  .x-heads { grid-area: heads; } .x-head { grid-area: head; } .x-find { grid-area: find; } .x-off { grid-area: off; }
  .x-save { grid-area: save; }
}

/* Controls */
.x button, .x select, .x input { font: inherit; color: inherit; }
.x button {
  min-height: 28px; padding: 2px 10px; border: 1px solid var(--edge); border-radius: 2px; background: none; color: var(--ink);
  cursor: pointer; line-height: 1.5;
}
.x button:hover { background: var(--wash); }
.x button:disabled { color: var(--faint); cursor: default; background: none; border-color: var(--line); }
.x button[aria-expanded="true"] { background: var(--tint); border-color: var(--accent); }
.x-bar { display: flex; flex-wrap: wrap; align-items: center; gap: 8px 16px; margin-bottom: 10px; }
.x-field { display: inline-flex; align-items: center; gap: 6px; color: var(--soft); min-width: 0; }
.x-field select, .x-field input[type="number"] {
  min-height: 28px; max-width: 100%; min-width: 0; padding: 2px 6px; border: 1px solid var(--edge); border-radius: 2px;
  background: var(--paper); color: var(--ink);
}
.x-field input[type="number"] { width: 54px; font-family: var(--mono); }
.x-field output { min-width: 34px; font: 400 12px var(--mono); }
.x-field input[type="range"] { width: 110px; accent-color: var(--accent); }
.x-sweep { display: flex; flex-wrap: wrap; align-items: center; gap: 8px 12px; margin-bottom: 10px; color: var(--soft); font-variant-numeric: tabular-nums; }
.x-sweep progress { flex: 1 1 120px; max-width: 240px; height: 6px; accent-color: var(--accent); }
.x-check { display: inline-flex; align-items: center; gap: 6px; color: var(--ink); cursor: pointer; }
.x-check input { margin: 0; accent-color: var(--accent); }
.x-segmented { display: inline-flex; }
.x-segmented label { position: relative; cursor: pointer; }
.x-segmented label + label { margin-inline-start: -1px; }
.x-segmented input { position: absolute; inset: 0; margin: 0; opacity: 0; cursor: pointer; }
.x-segmented span { display: block; min-height: 28px; padding: 3px 10px; border: 1px solid var(--edge); }
.x-segmented label:first-of-type span { border-start-start-radius: 2px; border-end-start-radius: 2px; }
.x-segmented label:last-of-type span { border-start-end-radius: 2px; border-end-end-radius: 2px; }
.x-segmented input:hover + span { background: var(--wash); }
.x-segmented input:checked + span {
  position: relative; background: var(--tint); border-color: var(--accent); color: var(--ink); z-index: 1;
}
.x-segmented input:focus-visible + span { outline: 2px solid var(--accent); outline-offset: 2px; z-index: 2; }

/* Lines of text under things */
.x-note { max-width: 62em; color: var(--soft); line-height: 1.45; }
.x-note + .x-note { margin-top: 2px; }
.x-readout {
  display: flex; flex-wrap: wrap; align-content: flex-start; gap: 0 14px; min-height: 36px; margin-top: 8px; font: 400 12px/18px var(--mono);
  color: var(--soft); font-variant-numeric: tabular-nums; overflow-wrap: anywhere;
}
.x-readout b { font-weight: 600; color: var(--ink); }
.x-readout .x-value { color: var(--accent); }
.x-problem { padding: 6px 12px; border-inline-start: 3px solid var(--warning); color: var(--warning); overflow-wrap: anywhere; }
.x-problem::before { content: "! " / ""; font-weight: 700; }
.x-legend { display: flex; align-items: center; gap: 8px; margin-top: 8px; font: 400 12px/1.3 var(--mono); color: var(--soft); }
.x-ramp { position: relative; flex: 0 0 132px; height: 10px; border: 1px solid var(--line); }

/* The map and the panes: two canvases, one of them for what changes with the pointer. Layers and heads are counted, and
   rows look at columns, from left to right in every language. */
.x-map, .x-matrix, .x-lines { direction: ltr; }
.x-map { position: relative; max-width: 100%; cursor: pointer; touch-action: manipulation; }
.x-map:focus-visible { outline: none; }
.x-layer { position: absolute; left: 0; top: 0; pointer-events: none; }
.x-panes { display: grid; grid-template-columns: minmax(0, 1fr); gap: 18px 32px; }
.x-late { opacity: 0.45; }
@container (min-width: 720px) { .x-two .x-panes.x-both { grid-template-columns: minmax(0, 1fr) minmax(0, 1fr); } }
.x-caption { display: flex; gap: 8px; align-items: baseline; margin-bottom: 8px; color: var(--soft); }
.x-caption bdi { flex: 0 1 auto; min-width: 0; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; color: var(--ink); font-size: 15px; }
.x-caption span { flex: none; font: 400 12px var(--mono); }
.x-matrix { position: relative; }
.x-scroller { position: absolute; overflow: auto; cursor: crosshair; overscroll-behavior: contain; scrollbar-width: thin; }
.x-scroller:focus-visible { outline-offset: 1px; }

.x-lines { position: relative; overflow: hidden auto; overscroll-behavior: contain; scrollbar-width: thin; }
.x-inner { position: relative; }
.x-threads { position: sticky; top: 0; display: block; pointer-events: none; }
.x-tokens { position: absolute; top: 0; max-width: 36%; }
.x-rows { left: 0; } .x-columns { right: 0; }
.x-token {
  height: var(--step); padding: 0 7px; line-height: var(--step); white-space: pre; overflow: hidden; text-overflow: ellipsis; cursor: pointer;
  font-size: 15px; background: color-mix(in srgb, var(--accent) var(--share, 0%), transparent);
}
.x-rows .x-token { text-align: right; } .x-columns .x-token { text-align: left; }
.x-token:hover { background-color: var(--wash); }
.x-token.x-picked { color: var(--accent); background-color: var(--tint); }
.x-token.x-pinned { box-shadow: inset 0 0 0 1px var(--accent); }
.x-token.x-border { border-top: 1px dashed var(--edge); }
.x-token:focus-visible { outline-offset: -2px; }

.x-strongest { display: flex; flex-wrap: wrap; gap: 2px 16px; margin: 4px 0 10px; font-size: 13px; }
.x-strongest::before { content: attr(aria-label) / ""; color: var(--soft); }
.x-side { color: var(--soft); font-style: normal; }
.x-readout .x-side { margin-inline-end: 8px; }
.x-strongest .x-side + li { margin-inline-start: -6px; }
.x-strongest li { display: inline-flex; gap: 5px; align-items: baseline; min-width: 0; }
.x-strongest span, .x-top-heads span { font: 400 12px var(--mono); color: var(--soft); font-variant-numeric: tabular-nums; }
.x-top-heads { display: flex; flex-wrap: wrap; gap: 6px; margin-top: 10px; }
.x-top-heads button { display: inline-flex; gap: 8px; align-items: baseline; padding: 1px 8px; font-size: 12px; }
.x-top-heads button[aria-pressed="true"] { border-color: var(--accent); background: var(--tint); }

/* What switching off does */
.x-chips { display: flex; flex-wrap: wrap; gap: 6px; margin-bottom: 10px; }
.x-effects { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 250px), 1fr)); gap: 14px 28px; }
.x-effect table { width: 100%; border-collapse: collapse; table-layout: fixed; }
.x-effect caption { padding-bottom: 4px; text-align: start; color: var(--soft); }
.x-effect caption b { color: var(--ink); }
.x-effect th, .x-effect td { height: 24px; padding: 0; font-weight: 400; text-align: start; vertical-align: middle; }
.x-effect thead th { height: 18px; font: 400 12px var(--mono); color: var(--soft); }
.x-effect tbody th { overflow: hidden; text-overflow: ellipsis; white-space: nowrap; padding-inline-end: 8px; }
.x-effect th:nth-child(1) { width: 32%; }
.x-effect td:nth-child(n + 3), .x-effect thead th:nth-child(n + 3) { width: 62px; text-align: end; font: 400 12px var(--mono); }
.x-swatch { display: inline-block; width: 8px; height: 8px; margin-inline-end: 4px; background: var(--pale); }
th:last-child > .x-swatch { background: var(--bar); }
.x-pair { position: relative; display: block; height: 13px; }
.x-pair i { position: absolute; inset-inline-start: 0; height: 5px; min-width: 1px; background: var(--pale); }
.x-pair i + i { top: 7px; background: var(--bar); }

@container (max-width: 560px) {
  .x-frame { padding: 10px 0 12px; }
  .x-top button { top: 4px; inset-inline-end: 0; min-width: 36px; }
  .x button, .x-field select, .x-segmented span { min-height: 36px; }
  .x-segmented span { padding-block: 7px; }
  .x-bar { gap: 8px 12px; }
}
@media (forced-colors: active) { .x-pair i, .x-ramp { forced-color-adjust: none; } }
`;
