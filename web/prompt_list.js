// The prompts of Prompt Objects as data: objects with points and boxes per frame, undo, and the texts they travel in.

export const SCHEMA = "physics-preserver/prompts";
// RGB, as nodes/media/overlay.py draws them.
export const COLOURS = [[86, 200, 250], [255, 159, 28], [60, 214, 140], [240, 100, 170], [240, 228, 66]];
const HISTORY = 200;

const tenth = (value) => Math.round(value * 10) / 10;

export const colour = (index, alpha = 1) => `rgba(${COLOURS[index % COLOURS.length].join(", ")}, ${alpha})`;

/** Objects, each {label, prompts: [{frame, box: [x1, y1, x2, y2] | null, points: [{x, y, positive}]}]}; px of the clip. */
export class PromptList {
  constructor() {
    this.objects = [];
    /** [width, height] of the clip they were drawn on, px; null while unknown. */
    this.size = null;
    this.past = [];
    this.future = [];
  }

  /** Take over what a workflow holds; throws an Error that says what is wrong. History starts anew. */
  read(text) {
    const data = text.trim() ? JSON.parse(text) : { objects: [] };
    const { objects, size } = checked(data);
    Object.assign(this, { objects, size, past: [], future: [] });
  }

  /** What a workflow holds: JSON, or "" when there are no objects. */
  text(objects = this.objects) {
    if (!objects.length) return "";
    const size = this.size && { size: this.size };
    return JSON.stringify({ schema: SCHEMA, schema_version: 1, ...size, objects });
  }

  /** As `text`, of what one frame shows. */
  textOf(frame) {
    const shown = this.objects.map(({ label, prompts }) => ({ label, prompts: prompts.filter((p) => p.frame === frame) }));
    return this.text(shown.filter(({ prompts }) => prompts.length));
  }

  /** Do a change that can be undone. */
  edit(change) {
    const before = this.snapshot();
    change();
    for (const object of this.objects) {
      object.prompts = object.prompts.filter(({ box, points }) => box || points.length).sort((a, b) => a.frame - b.frame);
    }
    if (this.snapshot() === before) return false;
    this.past.push(before);
    if (this.past.length > HISTORY) this.past.shift();
    this.future = [];
    return true;
  }

  undo() {
    return this.swap(this.past, this.future);
  }

  redo() {
    return this.swap(this.future, this.past);
  }

  swap(from, to) {
    if (!from.length) return false;
    to.push(this.snapshot());
    Object.assign(this, JSON.parse(from.pop()));
    return true;
  }

  snapshot() {
    return JSON.stringify({ objects: this.objects, size: this.size });
  }

  /** What object number `index` shows on a frame; undefined for nothing. */
  at(index, frame) {
    return this.objects[index]?.prompts.find((prompt) => prompt.frame === frame);
  }

  /** As `at`, made when it isn't there; to be called inside `edit`. */
  made(index, frame) {
    const found = this.at(index, frame);
    if (found) return found;
    const prompt = { frame, box: null, points: [] };
    this.objects[index].prompts.push(prompt);
    return prompt;
  }

  addPoints(index, frame, points) {
    return this.edit(() => this.made(index, frame).points.push(...points.map((p) => ({ ...p, x: tenth(p.x), y: tenth(p.y) }))));
  }

  setBox(index, frame, box) {
    return this.edit(() => (this.made(index, frame).box = box.map(tenth)));
  }

  movePoint(index, frame, number, x, y) {
    return this.edit(() => Object.assign(this.at(index, frame).points[number], { x: tenth(x), y: tenth(y) }));
  }

  /** Delete a point by its number, or the box ("box"). */
  remove(index, frame, part) {
    return this.edit(() => {
      const prompt = this.at(index, frame);
      if (part === "box") prompt.box = null;
      else prompt.points.splice(part, 1);
    });
  }

  /** A name that no object has yet. */
  freeName(wanted) {
    const taken = this.objects.map((object) => object.label);
    let [name, number] = [wanted, 2];
    while (taken.includes(name)) name = `${wanted} ${number++}`;
    return name;
  }

  /** Frames with a prompt, in order. */
  frames() {
    return [...new Set(this.objects.flatMap((object) => object.prompts.map(({ frame }) => frame)))].sort((a, b) => a - b);
  }

  /** Scale every prompt from the size they were drawn on to another. */
  scaleTo([width, height]) {
    const [sx, sy] = [width / this.size[0], height / this.size[1]];
    return this.edit(() => {
      for (const prompt of this.objects.flatMap((object) => object.prompts)) {
        if (prompt.box) prompt.box = prompt.box.map((side, n) => tenth(side * (n % 2 ? sy : sx)));
        for (const point of prompt.points) Object.assign(point, { x: tenth(point.x * sx), y: tenth(point.y * sy) });
      }
      this.size = [width, height];
    });
  }

  /** One object's points on a frame as KJNodes' two strings. */
  kjStrings(index, frame) {
    const points = this.at(index, frame)?.points ?? [];
    const side = (positive) => JSON.stringify(points.filter((p) => p.positive === positive).map(({ x, y }) => ({ x, y })));
    return { positive: side(true), negative: side(false) };
  }
}

/**
 * What a pasted text holds: {points: [{x, y, positive}]} from KJNodes' `[{"x", "y"}]` (`positive` says which side) or
 * from its {"positive": [...], "negative": [...]}, or {objects, size} from our own. Throws an Error that says what is wrong.
 */
export function readText(text, positive) {
  let data;
  try {
    data = JSON.parse(text);
  } catch (error) {
    throw new Error(`that is not JSON: ${error.message}`);
  }
  const side = (list, inside) => list.map(({ x, y }) => ({ ...finite(x, y), positive: inside }));
  if (Array.isArray(data)) return { points: side(data, positive) };
  if (data?.objects) return checked(data);
  if (Array.isArray(data?.positive) || Array.isArray(data?.negative)) {
    return { points: [...side(data.positive ?? [], true), ...side(data.negative ?? [], false)] };
  }
  throw new Error('points read like [{"x": 12, "y": 34}]');
}

function finite(x, y) {
  if (!Number.isFinite(x) || !Number.isFinite(y)) throw new Error(`a point needs numbers x and y, not ${x}, ${y}`);
  return { x, y };
}

function checked(data) {
  if (data?.schema !== undefined && data.schema !== SCHEMA) throw new Error(`this is ${data.schema}, not ${SCHEMA}`);
  if (!Array.isArray(data?.objects)) throw new Error("prompts have a list of objects");
  const objects = data.objects.map(({ label, prompts = [] }) => ({
    label: String(label),
    prompts: prompts.map(({ frame, box, points = [] }) => ({
      frame: Math.max(0, Math.round(frame ?? 0)),
      box: box ? box.map(Number) : null,
      points: points.map(({ x, y, positive = true }) => ({ ...finite(x, y), positive: Boolean(positive) })),
    })),
  }));
  return { objects, size: Array.isArray(data.size) ? data.size.map(Number) : null };
}
