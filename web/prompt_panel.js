// The panel of Prompt Objects: objects, picture, frames, tools; what a person does here ends up in the node's text.

import { Frames, loadedFile, openFile, readMasks, runPreview } from "./clip_frames.js";
import { make } from "./dom.js";
import { HINT, buildPanel, showChips } from "./prompt_elements.js";
import { PromptList, readText } from "./prompt_list.js";
import { Stage } from "./prompt_stage.js";
import { addLooks } from "./prompt_style.js";

const SIDE = 1280; // px of a picture's longer side, until more is needed
const SHARPEN_MS = 200;

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
    buildPanel(this);
    this.observer = new ResizeObserver(() => this.stage.resize());
    this.observer.observe(this.stage.canvas);
    this.look();
  }

  /** Give the keyboard to the picture. */
  focus() {
    this.keys.focus({ preventScroll: true });
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
    const link = this.node.inputs.find((input) => input.name === "clip")?.link ?? null;
    if (link !== this.link) {
      this.link = link;
      if (!file) this.setClip(null);
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

  /** Run what is needed for the frames, and with `masks` for what the prompts make on this frame. */
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
    this.focus();
  }

  side(outside) {
    this.stage.outside = outside;
    this.refresh();
    this.focus();
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

  refresh() {
    const { list, stage, frames } = this;
    stage.frame = this.frame;
    showChips(this);
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
    this.reloadButton.hidden = !frames || Boolean(this.file);
    this.reloadButton.disabled = Boolean(this.job);
    this.refreshNotice();
  }

  refreshNotice() {
    const { frames, list } = this;
    const other = frames && list.size && (list.size[0] !== frames.width || list.size[1] !== frames.height);
    const late = frames && list.frames().some((frame) => frame >= frames.frames);
    let words = null;
    if (this.link === null) words = "Connect a clip.";
    else if (!frames) words = this.problem ?? (this.file ? "Opening…" : "The frames come from the graph before this node.");
    else if (other) {
      words = `These prompts were drawn on ${list.size.join("x")}, and this clip is ${frames.width}x${frames.height}.`;
    }
    this.notice.hidden = !words;
    this.noticeText.textContent = words ?? "";
    this.loadButton.hidden = Boolean(this.link === null || frames || (this.file && !this.problem));
    this.loadButton.disabled = Boolean(this.job);
    this.scaleButton.hidden = !other || this.link === null;
    if (late && !words) this.say(`There are prompts after the clip's last frame, ${frames.frames - 1}.`, true);
  }
}
