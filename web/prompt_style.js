// Looks of the widgets for prompts and approval, on the editor's light and dark palettes.

import { addStyle } from "./dom.js";

const STYLE = `
.pp-panel { --paper: #fff; --panel: #eef1f4; --ink: #1b1f24; --soft: #515a64; --line: #aab3bd; --accent: #005f99;
  --on-accent: #fff; --bad: #a02800; color-scheme: light;
  box-sizing: border-box; display: flex; flex-direction: column; gap: 6px; width: 100%; height: 100%; min-height: 0;
  padding: 8px; border-radius: 8px; background: var(--paper); color: var(--ink); text-align: left;
  font: 13px/1.4 system-ui, "Segoe UI", Roboto, sans-serif; }
.dark-theme .pp-panel { --paper: #17191d; --panel: #262b32; --ink: #e9ebee; --soft: #aab3bd; --line: #4a525c; --accent: #6cc1f0;
  --on-accent: #10141a; --bad: #ff9a62; color-scheme: dark; }
.pp-panel *, .pp-panel *::before { box-sizing: border-box; }
.pp-panel button, .pp-panel input, .pp-panel textarea { font: inherit; color: inherit; accent-color: var(--accent); margin: 0; }
.pp-panel button, .pp-panel input[type="number"], .pp-panel textarea {
  background: var(--panel); border: 1px solid var(--line); border-radius: 5px; padding: 2px 8px; min-height: 26px; }
.pp-panel button { cursor: pointer; white-space: nowrap; }
.pp-panel button:hover:not(:disabled) { border-color: var(--accent); }
.pp-panel button:disabled { opacity: 0.45; cursor: default; }
.pp-pair button[aria-pressed="true"] { background: var(--ink); color: var(--paper); border-color: var(--ink); }
.pp-panel button.pp-main { background: var(--accent); color: var(--on-accent); border-color: var(--accent); font-weight: 600; }
.pp-panel :focus-visible { outline: 2px solid var(--accent); outline-offset: 1px; }
.pp-row { display: flex; flex-wrap: wrap; gap: 4px; align-items: center; flex: none; }
.pp-gap { flex: 1; }
.pp-row:empty { display: none; }
.pp-pair { display: flex; }
.pp-pair button:first-child { border-radius: 5px 0 0 5px; }
.pp-pair button:last-child { border-radius: 0 5px 5px 0; border-left: 0; }
.pp-chip { display: flex; align-items: center; border: 1px solid var(--line); border-radius: 6px; background: var(--panel); overflow: hidden; }
.pp-chip[data-chosen] { border-color: var(--ink); box-shadow: 0 0 0 1px var(--ink); }
.pp-panel .pp-chip > * { border: 0; background: none; min-height: 26px; border-radius: 0; }
.pp-panel .pp-chip .pp-pick { padding: 0 4px 0 8px; display: flex; align-items: center; }
.pp-chip .pp-pick::before { content: ""; width: 12px; height: 12px; border-radius: 50%; background: var(--colour); border: 1px solid #10141a; }
.pp-panel .pp-chip input { padding: 2px; min-width: 3em; max-width: 12em; field-sizing: content; }
.pp-panel .pp-chip .pp-drop { padding: 0 8px 0 4px; color: var(--soft); }
.pp-stage { position: relative; flex: 1; min-height: 160px; border-radius: 6px; overflow: hidden; background: #0c0e11; border: 1px solid var(--line); }
.pp-stage:focus-within { border-color: var(--accent); box-shadow: 0 0 0 1px var(--accent); }
.pp-picture { position: absolute; inset: 0; width: 100%; height: 100%; cursor: crosshair; touch-action: none; display: block; }
.pp-panel .pp-keys { position: absolute; inset: 0; opacity: 0; pointer-events: none; }
.pp-notice { position: absolute; inset: 0; display: flex; flex-direction: column; gap: 10px; align-items: center; justify-content: center;
  padding: 16px; text-align: center; color: #e9ebee; background: rgba(12, 14, 17, 0.82); }
.pp-notice p { margin: 0; max-width: 40em; white-space: pre-line; }
.pp-line { position: relative; flex: 1; min-width: 120px; height: 26px; display: flex; align-items: center; }
.pp-line input { width: 100%; }
.pp-marks { position: absolute; left: 8px; right: 8px; bottom: -1px; height: 6px; pointer-events: none; }
.pp-marks i { position: absolute; width: 4px; height: 6px; margin-left: -2px; background: var(--ink); border-radius: 1px; }
.pp-panel input[type="number"] { width: 5.2em; }
.pp-soft, .pp-told { color: var(--soft); }
.pp-told { min-height: 1.4em; flex: none; overflow-wrap: anywhere; }
.pp-told[data-bad] { color: var(--bad); font-weight: 600; }
.pp-text { display: flex; flex-direction: column; gap: 4px; flex: none; }
.pp-text textarea { width: 100%; height: 84px; resize: vertical; font: 12px/1.4 ui-monospace, monospace; }
.pp-panel [hidden] { display: none; }
.pp-mark { display: inline-flex; align-items: center; gap: 6px; font-weight: 600; }
.pp-mark::before { content: ""; width: 12px; height: 12px; border-radius: 50%; border: 2px solid currentColor; flex: none; }
.pp-mark[data-state="approved"]::before { background: currentColor; }
`;

export const addLooks = () => addStyle("physics-preserver-prompts", STYLE);
