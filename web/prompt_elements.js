// The elements of the Prompt Objects panel, and what pressing them calls.

import { make } from "./dom.js";
import { colour } from "./prompt_list.js";

export const HINT = "Click: inside. Shift or right click: outside. Drag: box. Wheel: zoom. Ctrl-drag: pan.";
const KEYS = "Picture. Arrow keys step through the frames, with Shift ten. Delete, Ctrl+Z, Ctrl+Y, plus, minus, 0 to fit.";

const button = (label, click, about = {}) => make("button", { type: "button", click, ...about }, label);
const gap = () => make("span", { class: "pp-gap" });

/** Put the elements of a PromptPanel onto it; `element` holds them all. */
export function buildPanel(panel) {
  buildStage(panel);
  buildScrub(panel);
  buildTools(panel);
  buildText(panel);
  panel.chips = make("div", { class: "pp-row", role: "group", "aria-label": "Objects" });
  panel.previewButton = button("Preview mask", () => panel.run(true), { class: "pp-main", title: "See the masks of this frame now" });
  panel.stopButton = button("Stop", () => panel.job?.abort(), { title: "Stop the preview" });
  const add = button("+ Add object", () => panel.addObject());
  const head = make("div", { class: "pp-row" }, panel.chips, add, gap(), panel.stopButton, panel.previewButton);
  panel.told = make("output", { class: "pp-told", "aria-live": "polite" }, HINT);
  panel.element = make("div", { class: "pp-panel", role: "group", "aria-label": "Draw prompts" });
  panel.element.append(head, panel.place, panel.scrub, panel.tools, panel.textPart, panel.told);
  // Not for the graph below: it would drag nodes, delete them, or paste into itself.
  for (const kind of ["keydown", "keyup", "copy", "cut", "paste", "pointerdown", "pointermove", "pointerup", "dblclick"]) {
    panel.element.addEventListener(kind, (event) => event.stopPropagation());
  }
}

function buildStage(panel) {
  // The keyboard's place is a real input: the editor leaves the keys of those alone, its own undo included.
  panel.keys = make("input", { class: "pp-keys", readonly: true, "aria-label": KEYS, keydown: (event) => panel.key(event) });
  panel.noticeText = make("p", { role: "status" });
  panel.loadButton = button("Load frames", () => panel.loadFrames(), { class: "pp-main" });
  panel.scaleButton = button("Scale the prompts to this clip", () => panel.scale(), { class: "pp-main" });
  panel.notice = make("div", { class: "pp-notice" }, panel.noticeText, panel.loadButton, panel.scaleButton);
  panel.place = make("div", { class: "pp-stage" }, panel.stage.canvas, panel.keys, panel.notice);
  panel.place.addEventListener("wheel", (event) => panel.wheel(event), { passive: false });
  panel.stage.canvas.addEventListener("pointerdown", () => panel.focus());
}

function buildScrub(panel) {
  const frame = { min: 0, step: 1 };
  panel.slider = make("input", {
    ...frame,
    type: "range",
    "aria-label": "Frame",
    input: () => panel.go(Number(panel.slider.value)),
  });
  panel.number = make("input", {
    ...frame,
    type: "number",
    "aria-label": "Frame number",
    change: () => panel.go(Number(panel.number.value)),
  });
  panel.last = make("span", { class: "pp-soft" });
  panel.marks = make("div", { class: "pp-marks", "aria-hidden": "true" });
  panel.scrub = make(
    "div",
    { class: "pp-row" },
    button("‹", () => panel.go(panel.frame - 1), { "aria-label": "Frame before", title: "Frame before (←)" }),
    make("div", { class: "pp-line" }, panel.slider, panel.marks),
    button("›", () => panel.go(panel.frame + 1), { "aria-label": "Next frame", title: "Next frame (→)" }),
    panel.number,
    panel.last,
  );
}

function buildTools(panel) {
  panel.inside = button("+ Inside", () => panel.side(false), { title: "A click marks a place inside the object" });
  panel.outside = button("− Outside", () => panel.side(true), { title: "A click marks what isn't the object (or Shift-click)" });
  panel.undoButton = button("Undo", () => panel.edit(() => panel.list.undo()), { title: "Ctrl+Z" });
  panel.redoButton = button("Redo", () => panel.edit(() => panel.list.redo()), { title: "Ctrl+Y" });
  panel.dropButton = button("Delete", () => panel.removeChosen(), { title: "Delete the chosen point or box (Del)" });
  panel.textButton = button("Text", () => panel.toggleText(), { title: "Points as text, for KJNodes", "aria-expanded": "false" });
  panel.reloadButton = button("Reload", () => panel.loadFrames(), { title: "Take the frames from the graph again" });
  const zoom = (label, title, then) => button(label, then, { title, "aria-label": title });
  panel.tools = make(
    "div",
    { class: "pp-row", role: "toolbar", "aria-label": "Tools" },
    make("div", { class: "pp-pair" }, panel.inside, panel.outside),
    panel.undoButton,
    panel.redoButton,
    panel.dropButton,
    zoom("−", "Zoom out", () => panel.stage.zoom(1 / 1.4)),
    zoom("+", "Zoom in", () => panel.stage.zoom(1.4)),
    zoom("Fit", "Show the whole picture", () => panel.stage.fit()),
    gap(),
    panel.reloadButton,
    panel.textButton,
  );
}

function buildText(panel) {
  const example = '[{"x": 12, "y": 34}]';
  panel.area = make("textarea", { "aria-label": "Points as text", spellcheck: "false", placeholder: example });
  const row = make(
    "div",
    { class: "pp-row" },
    button("Add as inside", () => panel.paste(true)),
    button("Add as outside", () => panel.paste(false)),
    button("Show points inside", () => panel.copy("positive")),
    button("Show points outside", () => panel.copy("negative")),
    button("Show all prompts", () => (panel.area.value = panel.list.text())),
  );
  panel.textPart = make("div", { class: "pp-text", hidden: true }, panel.area, row);
}

/**
 * Show the objects of a PromptPanel: names to write in, with a button each to draw on it and to delete it.
 *
 * Elements stay where they are, so that a press that ends the writing of a name still meets its button.
 */
export function showChips(panel) {
  const { list, stage, chips } = panel;
  while (chips.children.length > list.objects.length) chips.lastElementChild.remove();
  while (chips.children.length < list.objects.length) chips.append(chip(panel, chips.children.length));
  for (const [index, { label }] of list.objects.entries()) {
    const shown = chips.children[index];
    const [pick, name, drop] = shown.children;
    shown.toggleAttribute("data-chosen", index === stage.object);
    pick.setAttribute("aria-pressed", String(index === stage.object));
    pick.setAttribute("aria-label", `Draw on ${label}`);
    drop.setAttribute("aria-label", `Delete ${label}`);
    if (shown.dataset.label === label) continue; // what is being typed stays
    shown.dataset.label = name.value = label;
    name.size = Math.max(3, label.length);
  }
}

function chip(panel, index) {
  const name = make("input", {
    type: "text",
    "aria-label": `Name of object ${index + 1}`,
    focus: () => index !== panel.stage.object && panel.choose(index),
    change: () => {
      panel.rename(index, name.value);
      name.value = panel.list.objects[index].label; // an empty name isn't taken, one that is taken gets a number
    },
    keydown: (event) => event.key === "Enter" && panel.focus(),
  });
  return make(
    "div",
    { class: "pp-chip", style: `--colour: ${colour(index)}` },
    button("", () => panel.choose(index), { class: "pp-pick" }),
    name,
    button("✕", () => panel.dropObject(index), { class: "pp-drop", title: "Delete this object" }),
  );
}
