// The panel of Prompt Objects: objects, picture, frames, tools; what a person does here ends up in the node's text.

import { Frames, loadedFile, openFile, readMasks, runPreview } from "./clip_frames.js";
import { make } from "./dom.js";
import { PromptList, colour, readText } from "./prompt_list.js";
import { Stage } from "./prompt_stage.js";
import { addLooks } from "./prompt_style.js";

const SIDE = 1280; // px of a picture's longer side, until more is needed
const SHARPEN_MS = 200;
const HINT = "Click: inside. Shift or right click: outside. Drag: box. Wheel: zoom. Ctrl-drag: pan.";
const KEYS = "Picture. Arrow keys step through the frames, with Shift ten. Delete, Ctrl+Z, Ctrl+Y, plus, minus, 0 to fit.";

export class PromptPanel {
  constructor(node, widget) {
    addLooks();
    Object.assign(this, { node, widget, frame: 0, frames: null, file: null, text: null, job: null, previews: new Map() });
    this.list = new PromptList();
    this.stage = new Stage(this.list, {
      point: (x, y, positive) => this.edit(() => this.list.addPoints(this.drawn(), this.frame, [{ x, y, positive }])),
      box: (box, index) => this.edit(() => this.list.setBox(index ?? this.drawn(), this.frame, box)),
      moved: (index, number, x, y) => this.edit(() => this.list.movePoint(index, this.frame, number, x, y)),
      select: ({ index, part }) => this.choose(index, part),
      zoomed: () => this.sharpen(),
    });
    this.build();
    this.observer = new ResizeObserver(() => this.stage.resize());
    this.observer.observe(this.stage.canvas);
    this.look();
  }

  // Elements

  build() {
    const button = (label, click, about = {}) => make("button", { type: "button", click, ...about }, label);
    this.chips = make("div", { class: "pp-row", role: "group", "aria-label": "Objects" });
    // The keyboard's place is a real input: the editor leaves the keys of those alone, its own undo included.
    this.keys = make("input", { class: "pp-keys", readonly: true, "aria-label": KEYS, keydown: (event) => this.key(event) });
    this.noticeText = make("p", { role: "status" });
    this.loadButton = button("Load frames", () => this.loadFrames(), { class: "pp-main" });
    this.scaleButton = button("Scale the prompts to this clip", () => this.scale(), { class: "pp-main" });
    this.notice = make("div", { class: "pp-notice" }, this.noticeText, this.loadButton, this.scaleButton);
    const stage = make("div", { class: "pp-stage" }, this.stage.canvas, this.keys, this.notice);
    stage.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
    this.stage.canvas.addEventListener("pointerdown", () => this.keys.focus({ preventScroll: true }));

    this.slider = make("input", { type: "range", min: 0, step: 1, "aria-label": "Frame", input: () => this.go(Number(this.slider.value)) });
    this.number = make("input", { type: "number", min: 0, step: 1, "aria-label": "Frame number", change: () => this.go(Number(this.number.value)) });
    this.last = make("span", { class: "pp-soft" });
    this.marks = make("div", { class: "pp-marks", "aria-hidden": "true" });
    this.scrub = make(
      ...["div", { class: "pp-row" }, button("‹", () => this.go(this.frame - 1), { "aria-label": "Frame before", title: "Frame before (←)" })],
      ...[make("div", { class: "pp-line" }, this.slider, this.marks)],
      ...[button("›", () => this.go(this.frame + 1), { "aria-label": "Next frame", title: "Next frame (→)" }), this.number, this.last],
    );

    this.inside = button("+ Inside", () => this.side(false), { title: "A click marks a place inside the object" });
    this.outside = button("− Outside", () => this.side(true), { title: "A click marks a place that doesn't belong to it (or Shift-click)" });
    this.undoButton = button("Undo", () => this.edit(() => this.list.undo()), { title: "Ctrl+Z" });
    this.redoButton = button("Redo", () => this.edit(() => this.list.redo()), { title: "Ctrl+Y" });
    this.dropButton = button("Delete", () => this.removeChosen(), { title: "Delete the chosen point or box (Del)" });
    this.textButton = button("Text", () => this.toggleText(), { title: "Paste or copy points as text (KJNodes)", "aria-expanded": "false" });
    this.previewButton = button("Preview mask", () => this.preview(), { class: "pp-main", title: "See the masks of this frame now" });
    this.stopButton = button("Stop", () => this.job?.abort(), { title: "Stop the preview" });
    const zoom = (label, title, then) => button(label, then, { title, "aria-label": title });
    this.tools = make(
      ...["div", { class: "pp-row", role: "toolbar", "aria-label": "Tools" }],
      ...[make("div", { class: "pp-pair" }, this.inside, this.outside), this.undoButton, this.redoButton, this.dropButton],
      ...[zoom("−", "Zoom out", () => this.stage.zoom(1 / 1.4)), zoom("+", "Zoom in", () => this.stage.zoom(1.4))],
      ...[zoom("Fit", "Show the whole picture", () => this.stage.fit()), make("span", { class: "pp-gap" }), this.textButton],
    );

    this.area = make("textarea", { "aria-label": "Points as text", spellcheck: "false", placeholder: '[{"x": 12, "y": 34}]' });
    this.textPart = make(
      ...["div", { class: "pp-text", hidden: true }, this.area],
      make(
        ...["div", { class: "pp-row" }, button("Add as inside", () => this.paste(true)), button("Add as outside", () => this.paste(false))],
        ...[button("Show points inside", () => this.copy("positive")), button("Show points outside", () => this.copy("negative"))],
        ...[button("Show all prompts", () => (this.area.value = this.list.text()))],
      ),
    );
    this.told = make("output", { class: "pp-told", "aria-live": "polite" }, HINT);
    this.element = make("div", { class: "pp-panel", role: "group", "aria-label": "Draw prompts" });
    const head = make("div", { class: "pp-row" }, this.chips, make("span", { class: "pp-gap" }), this.stopButton, this.previewButton);
    this.element.append(head, stage, this.scrub, this.tools, this.textPart, this.told);
    // Not for the graph below: it would drag nodes, delete them, or paste into itself.
    for (const kind of ["keydown", "keyup", "copy", "cut", "paste", "pointerdown", "pointermove", "pointerup", "dblclick"]) {
      this.element.addEventListener(kind, (event) => event.stopPropagation());
    }
  }

  close() {
    clearTimeout(this.sharper);
    this.job?.abort();
    this.observer.disconnect();
  }

  // What comes from outside

  /** See whether the stored text or the clip have changed. */
  look() {
    if (this.widget.value !== this.text) {
      this.text = this.widget.value;
      try {
        this.list.read(this.text ?? "");
        this.say(HINT);
      } catch (error) {
        this.say(`The stored prompts can't be read: ${error.message}`, true);
      }
      this.stage.object = Math.min(this.stage.object, Math.max(0, this.list.objects.length - 1));
      this.stage.chosen = null;
      const drawn = this.list.frames();
      if (drawn.length && !drawn.includes(this.frame)) this.frame = drawn[0];
      this.refresh();
    }
    const file = this.node.graph ? loadedFile(this.node, 0) : null;
    if (file !== this.file) {
      this.file = file;
      if (file) this.open(file);
      else this.setClip(null);
    }
    const linked = Boolean(this.node.inputs.find((input) => input.name === "clip")?.link);
    if (linked !== this.linked) {
      this.linked = linked;
      if (!linked) this.setClip(null);
      this.refresh();
    }
  }

  async open(file) {
    try {
      const facts = await openFile(file);
      if (file === this.file) this.setClip(facts);
    } catch (error) {
      if (file === this.file) this.setClip(null, error.message);
    }
  }

  setClip(facts, problem = null) {
    this.problem = problem;
    if (facts?.token !== this.frames?.token) {
      this.frames = facts && new Frames(facts);
      this.previews.clear();
      this.stage.setClip(facts && { width: facts.width, height: facts.height });
    }
    if (facts) {
      if (!this.list.objects.length) this.list.size = null;
      this.frame = Math.min(this.frame, facts.frames - 1);
      this.show();
    }
    this.refresh();
  }

  /** Ask for the frames of a clip that is no file of Load Video. */
  loadFrames() {
    return this.file ? this.open(this.file) : this.run(false);
  }

  preview() {
    return this.run(true);
  }

  async run(masks) {
    if (this.job) return;
    this.job = new AbortController();
    this.say("Working…");
    this.refresh();
    const key = JSON.stringify(this.drawing());
    const frame = this.frame;
    const text = masks ? this.list.textOf(frame) : undefined;
    try {
      const found = await runPreview(this.node, { frame, text, told: (words) => this.say(words), signal: this.job.signal });
      if (!this.file) this.setClip(found.clip);
      if (masks) {
        const numbers = found.masks.labels.map((label) => this.list.objects.findIndex((object) => object.label === label));
        this.previews.set(frame, { key, found: await readMasks(found.masks), numbers, by: found.masks.by });
      }
      this.say(masks ? `Masks of frame ${frame}, by ${found.masks.by}.` : HINT);
    } catch (error) {
      this.say(error.message, true);
      if (!this.frames) this.problem = error.message;
    }
    this.job = null;
    this.refresh();
  }

  // What the person does

  /** Number of the object that is drawn on; the first click makes one. */
  drawn() {
    if (!this.list.objects.length) this.list.edit(() => this.list.objects.push({ label: "object", prompts: [] }));
    return this.stage.object;
  }

  edit(change) {
    const before = this.list.text();
    change();
    this.stage.object = Math.max(0, Math.min(this.stage.object, this.list.objects.length - 1));
    const { index, part } = this.stage.chosen ?? {};
    const prompt = this.list.at(index, this.frame);
    if (!prompt || (part === "box" ? !prompt.box : !prompt.points[part])) this.stage.chosen = null;
    if (this.frames) this.list.size ??= [this.frames.width, this.frames.height];
    if (this.list.text() !== before) this.store();
    this.refresh();
  }

  store() {
    this.text = this.list.text();
    this.widget.value = this.text;
    this.widget.callback?.(this.text);
    this.node.graph?.setDirtyCanvas(true, true);
    if (this.told.dataset.bad !== undefined) this.say(HINT);
  }

  addObject() {
    this.edit(() => this.list.edit(() => this.list.objects.push({ label: this.list.freeName("object"), prompts: [] })));
    this.choose(this.list.objects.length - 1);
    const name = this.chips.querySelectorAll("input")[this.stage.object];
    name.focus();
    name.select();
  }

  rename(index, wanted) {
    const object = this.list.objects[index];
    if (wanted.trim() && wanted.trim() !== object.label) {
      this.edit(() => this.list.edit(() => (object.label = this.list.freeName(wanted.trim()))));
    }
    this.refresh(true);
  }

  dropObject(index) {
    this.edit(() => this.list.edit(() => this.list.objects.splice(index, 1)));
  }

  choose(index, part = null) {
    this.stage.object = index;
    this.stage.chosen = part === null ? null : { index, part };
    this.refresh();
  }

  removeChosen() {
    const { index, part } = this.stage.chosen ?? {};
    if (index !== undefined) this.edit(() => this.list.remove(index, this.frame, part));
    this.keys.focus({ preventScroll: true });
  }

  side(outside) {
    this.stage.outside = outside;
    this.refresh();
    this.keys.focus({ preventScroll: true });
  }

  scale() {
    this.edit(() => this.list.scaleTo([this.frames.width, this.frames.height]));
  }

  toggleText() {
    this.textPart.hidden = !this.textPart.hidden;
    this.textButton.setAttribute("aria-expanded", String(!this.textPart.hidden));
  }

  paste(positive) {
    try {
      const found = readText(this.area.value, positive);
      if (found.points) this.edit(() => this.list.addPoints(this.drawn(), this.frame, found.points));
      else this.edit(() => this.list.edit(() => Object.assign(this.list, found)));
      this.say(found.points ? `${found.points.length} points added to ${this.list.objects[this.stage.object].label}.` : "Prompts taken over.");
    } catch (error) {
      this.say(error.message, true);
    }
  }

  copy(side) {
    this.area.value = this.list.kjStrings(this.stage.object, this.frame)[side];
    this.area.select();
  }

  go(wanted) {
    if (!this.frames) return;
    const frame = Math.max(0, Math.min(this.frames.frames - 1, Math.round(wanted) || 0));
    if (frame !== this.frame) {
      this.frame = frame;
      this.stage.chosen = null;
      this.show();
    }
    this.refresh();
  }

  key(event) {
    const step = event.shiftKey ? 10 : 1;
    const control = event.ctrlKey || event.metaKey;
    const key = event.key.toLowerCase();
    const does = {
      arrowleft: () => this.go(this.frame - step),
      arrowright: () => this.go(this.frame + step),
      home: () => this.go(0),
      end: () => this.go(Infinity),
      delete: () => this.removeChosen(),
      backspace: () => this.removeChosen(),
      escape: () => this.choose(this.stage.object),
      "+": () => this.stage.zoom(1.4),
      "=": () => this.stage.zoom(1.4),
      "-": () => this.stage.zoom(1 / 1.4),
      0: () => this.stage.fit(),
    };
    const controlled = {
      z: () => this.edit(() => (event.shiftKey ? this.list.redo() : this.list.undo())),
      y: () => this.edit(() => this.list.redo()),
    };
    const then = (control ? controlled : does)[key];
    if (!then) return;
    event.preventDefault();
    then();
  }

  /** The wheel zooms the picture while one works on it, and the graph otherwise. */
  wheel(event) {
    if (document.activeElement !== this.keys) return;
    event.preventDefault();
    event.stopPropagation();
    const { x, y } = this.stage.place(event);
    this.stage.zoom(Math.exp(-event.deltaY / 400), x, y);
  }

  // What is shown

  /** Bring the present frame into the picture. */
  async show(side = SIDE) {
    const { frames, frame } = this;
    try {
      const picture = await frames.picture(frame, side);
      if (!picture || frames !== this.frames || frame !== this.frame) return;
      this.stage.picture = picture;
      this.stage.draw();
      if (side) this.sharpen();
    } catch (error) {
      if (frames !== this.frames) return;
      if (error.gone) this.setClip(null, "The server doesn't show this clip any more.");
      else this.say(error.message, true);
    }
  }

  /** Ask for the frame in full where the small one is shown larger than it is. */
  sharpen() {
    clearTimeout(this.sharper);
    const { picture, view } = this.stage;
    if (!picture || picture.width >= this.frames.width || view.scale * this.frames.width <= 1.3 * picture.width) return;
    this.sharper = setTimeout(() => this.frames && this.show(0), SHARPEN_MS);
  }

  /** What is drawn on the present frame, by which a preview is recognised as being of it. */
  drawing() {
    const shown = this.list.objects.map(({ label }, index) => [label, this.list.at(index, this.frame)]);
    return shown.filter(([, prompt]) => prompt);
  }

  say(words, bad = false) {
    this.told.textContent = words;
    if (bad) this.told.dataset.bad = "";
    else delete this.told.dataset.bad;
  }

  refresh(names = false) {
    const { list, stage, frames } = this;
    stage.frame = this.frame;
    this.refreshChips(names);
    const kept = this.previews.get(this.frame);
    const current = kept && kept.key === JSON.stringify(this.drawing());
    stage.setMasks(current ? kept.found : null, kept?.numbers);
    const most = frames ? frames.frames - 1 : 0;
    for (const [input, value] of [[this.slider, this.frame], [this.number, this.frame]]) {
      input.max = most;
      input.value = value;
    }
    this.last.textContent = frames ? `/ ${most}` : "";
    this.marks.replaceChildren(
      ...list.frames().filter((frame) => frame <= most).map((frame) => make("i", { style: `left: ${(100 * frame) / Math.max(1, most)}%` })),
    );
    for (const part of this.scrub.querySelectorAll("button, input")) part.disabled = !frames;
    this.inside.setAttribute("aria-pressed", String(!stage.outside));
    this.outside.setAttribute("aria-pressed", String(stage.outside));
    this.undoButton.disabled = !list.past.length;
    this.redoButton.disabled = !list.future.length;
    this.dropButton.disabled = !stage.chosen;
    this.previewButton.disabled = Boolean(this.job) || !this.drawing().length;
    this.stopButton.hidden = !this.job;
    this.refreshNotice();
  }

  refreshNotice() {
    const { frames, list } = this;
    const other = frames && list.size && (list.size[0] !== frames.width || list.size[1] !== frames.height);
    const late = frames && list.frames().some((frame) => frame >= frames.frames);
    let words = null;
    if (!this.linked) words = "Connect a clip.";
    else if (!frames) words = this.problem ?? (this.file ? "Opening…" : "The frames come from the graph before this node.");
    else if (other) {
      words = `These prompts were drawn on ${list.size.join("x")}, and this clip is ${frames.width}x${frames.height}.`;
    }
    this.notice.hidden = !words;
    this.noticeText.textContent = words ?? "";
    this.loadButton.hidden = Boolean(!this.linked || frames || (this.file && !this.problem));
    this.loadButton.disabled = Boolean(this.job);
    this.scaleButton.hidden = !other || !this.linked;
    if (late && !words) this.say(`There are prompts after the clip's last frame, ${frames.frames - 1}.`, true);
  }

  refreshChips(force) {
    const shown = JSON.stringify([this.list.objects.map(({ label }) => label), this.stage.object]);
    if (shown === this.chipsShown && !force) return;
    const typing = this.chips.contains(document.activeElement) ? [...this.chips.querySelectorAll("input")].indexOf(document.activeElement) : -1;
    this.chipsShown = shown;
    const chip = ({ label }, index) => {
      const chosen = index === this.stage.object;
      const name = make("input", {
        ...{ type: "text", value: label, size: Math.max(3, label.length), "aria-label": `Name of object ${index + 1}` },
        focus: () => index !== this.stage.object && this.choose(index),
        change: (event) => this.rename(index, event.target.value),
        keydown: (event) => event.key === "Enter" && this.keys.focus({ preventScroll: true }),
      });
      return make(
        ...["div", { class: "pp-chip", "data-chosen": chosen, style: `--colour: ${colour(index)}` }],
        ...[make("button", { class: "pp-pick", type: "button", "aria-label": `Draw on ${label}`, "aria-pressed": String(chosen), click: () => this.choose(index) })],
        ...[name, make("button", { class: "pp-drop", type: "button", "aria-label": `Delete ${label}`, title: `Delete ${label}`, click: () => this.dropObject(index) }, "✕")],
      );
    };
    const add = make("button", { type: "button", click: () => this.addObject() }, "+ Add object");
    this.chips.replaceChildren(...this.list.objects.map(chip), add);
    if (typing >= 0) this.chips.querySelectorAll("input")[Math.min(typing, this.list.objects.length - 1)]?.focus();
  }
}
