// The report viewer's looks, light and dark, kept apart from the page around it by a shadow root.

const LIGHT = `
  --paper: #ffffff; --panel: #f4f6f8; --ink: #1b1f24; --soft: #59626d; --line: #d3d9e0; --accent: #0068a5;
  --good: #00694f; --bad: #a63d00; --unsure: #59626d; color-scheme: light;`;
const DARK = `
  --paper: #17191d; --panel: #21252b; --ink: #e9ebee; --soft: #a6afba; --line: #3b424c; --accent: #6cc1f0;
  --good: #47d3a6; --bad: #ff9a62; --unsure: #a6afba; color-scheme: dark;`;

export const STYLE = `
:host { display: block; container-type: inline-size; }
* { box-sizing: border-box; }
.viewer { ${LIGHT}
  background: var(--paper); color: var(--ink); font: 13px/1.45 system-ui, "Segoe UI", Roboto, sans-serif;
  padding: 12px; display: flex; flex-direction: column; gap: 8px; min-height: 100%; text-align: left; }
@media (prefers-color-scheme: dark) { .viewer:not([data-theme]) { ${DARK} } }
.viewer[data-theme="dark"] { ${DARK} }
h2, h3, p, ul, dl, figure, fieldset { margin: 0; padding: 0; border: 0; }
h2 { font-size: 16px; overflow-wrap: anywhere; }
h3 { font-size: 13px; margin-bottom: 2px; }
header p { overflow-wrap: anywhere; }
.badge { display: inline-block; padding: 1px 9px; border-radius: 10px; border: 1.5px solid currentColor; font-size: 13px; }
[data-verdict="passed"] { color: var(--good); }
[data-verdict="failed"] { color: var(--bad); }
[data-verdict="could not judge"], [data-verdict="not judged"] { color: var(--unsure); }
.score { margin-left: 10px; color: var(--soft); font-weight: normal; font-size: 13px; }
.verdict { white-space: nowrap; font-weight: 600; }
summary { cursor: pointer; color: var(--soft); width: max-content; }
.choice { display: flex; flex-wrap: wrap; gap: 4px 24px; }
fieldset { display: flex; flex-wrap: wrap; gap: 2px 14px; align-items: center; min-width: 0; }
legend { float: left; font-weight: 600; padding: 0; margin-right: 4px; }
label { display: inline-flex; align-items: center; gap: 5px; }
small, .soft { color: var(--soft); }
input, select, button { font: inherit; color: inherit; accent-color: var(--accent); }
select { max-width: 14em; }
select, button, input[type="number"] { background: var(--panel); border: 1px solid var(--line); border-radius: 5px; padding: 2px 8px; }
button { cursor: pointer; }
button:hover:not(:disabled) { border-color: var(--accent); }
button:disabled { opacity: 0.45; cursor: default; }
input[type="number"] { width: 5.4em; }
.link { background: none; border: 0; padding: 0 1px; color: var(--accent); text-decoration: underline; }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; border-radius: 3px; }
.swatch { flex: none; vertical-align: middle; }
.chart-place { min-width: 0; }
.viewer:focus { outline: none; }
.chart { display: block; touch-action: none; cursor: crosshair; user-select: none; max-width: 100%; }
.chart text { font-size: 11px; fill: var(--ink); }
.chart .soft { fill: var(--soft); }
.chart .name { paint-order: stroke; stroke: var(--paper); stroke-width: 3px; stroke-linejoin: round; font-weight: 600; }
.chart .plot { fill: var(--panel); }
.chart .grid { stroke: var(--line); stroke-width: 0.7; }
.chart .tick { stroke: var(--soft); }
.chart .hatch, .legend .hatch { color: var(--ink); }
.chart .events .source { fill: var(--ink); }
.chart .events .generated { fill: var(--paper); stroke: var(--ink); stroke-width: 1.4; }
.chart .pair { stroke: var(--ink); stroke-width: 1; stroke-dasharray: 2 2; }
.chart .cursor line { stroke: var(--ink); stroke-width: 1.4; }
.chart .cursor rect { fill: var(--ink); }
.chart .cursor text { fill: var(--paper); font-weight: 600; }
.legend { list-style: none; display: flex; flex-wrap: wrap; gap: 2px 16px; color: var(--soft); font-size: 12px; }
.legend li { display: inline-flex; align-items: center; gap: 5px; }
.controls { display: flex; flex-wrap: wrap; gap: 6px 8px; align-items: center; }
.keys { font-size: 11.5px; margin-left: 6px; }
.readout { display: block; margin-top: 6px; font-weight: 600; font-variant-numeric: tabular-nums; min-height: 1.45em; }
.panes { display: grid; grid-template-columns: repeat(3, minmax(0, 1fr)); gap: 8px; }
@container (max-width: 640px) {
  .panes { grid-template-columns: 1fr 1fr; }
  .panes figure:last-child { grid-column: 1 / -1; }
}
.picture { position: relative; background: #000; border-radius: 4px; overflow: hidden; }
canvas { display: block; width: 100%; height: auto; }
.missing { position: absolute; inset: 0; display: grid; place-content: center; color: #d7dce2; padding: 8px; text-align: center; }
.missing[hidden] { display: none; }
figcaption { color: var(--soft); font-size: 12px; text-align: center; }
.note { color: var(--bad); }
.outline { display: inline-block; width: 18px; border-top: 3px solid; }
.outline.found { border-top-style: dashed; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; }
th { white-space: nowrap; text-align: left; color: var(--soft); font-weight: 500; }
th, td { padding: 2px 10px 2px 0; vertical-align: top; border-bottom: 1px solid var(--line); overflow-wrap: anywhere; }
td:nth-child(2) { min-width: 13em; width: 60%; }
.number { font-variant-numeric: tabular-nums; white-space: nowrap; }
.plain { list-style: none; }
.plain li { padding: 1px 0; overflow-wrap: anywhere; }
.plain .swatch { margin-right: 6px; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 2px 12px; margin-top: 4px; }
dt { color: var(--soft); }
dd { margin: 0; overflow-wrap: anywhere; }
`;
