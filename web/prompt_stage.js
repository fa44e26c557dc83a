// The picture of Prompt Objects: one frame with its prompts and masks, zoom and pan, and what the pointer does on it.

import { COLOURS, colour } from "./prompt_list.js";

const REACH = 9; // px on the screen within which a handle is hit
const DRAG = 5; // px on the screen from which a press is a box and no click
const DOT = 6;
const INK = "#10141a";
const MOST = 16; // times larger than the clip's own pixels

/**
 * `hooks`: point(x, y, positive), box([x1, y1, x2, y2]), moved(index, number, x, y), select({index, part} | null) and
 * zoomed() are called with px of the clip.
 */
export class Stage {
  constructor(list, hooks) {
    Object.assign(this, { list, hooks });
    this.canvas = document.createElement("canvas");
    this.canvas.className = "pp-picture";
    this.clip = null; // {width, height}
    this.picture = null; // ImageBitmap of the frame, any size
    this.masks = null; // canvas at the clip's size
    this.frame = 0;
    this.object = 0; // the one that is drawn on
    this.chosen = null; // {index, part: "box" or a point's number}
    this.outside = false; // a plain click is a negative point
    this.fitted = true;
    this.view = { scale: 1, x: 0, y: 0 }; // clip px -> css px
    this.press = null;
    this.listen();
  }

  listen() {
    const on = (kind, then) => this.canvas.addEventListener(kind, then);
    on("pointerdown", (event) => this.down(event));
    on("pointermove", (event) => this.move(event));
    on("pointerup", (event) => this.up(event));
    on("pointercancel", () => this.stop());
    on("contextmenu", (event) => {
      event.preventDefault();
      event.stopPropagation();
    });
    on("dblclick", (event) => event.stopPropagation());
  }

  /** Show another clip size; the whole picture is fitted in. */
  setClip(clip) {
    this.clip = clip;
    this.picture = this.masks = null;
    this.fit();
  }

  fit() {
    this.fitted = true;
    this.resize();
  }

  /** Take the element's present size over. */
  resize() {
    const { clientWidth: width, clientHeight: height } = this.canvas;
    if (this.fitted && this.clip && width && height) {
      const scale = Math.min(width / this.clip.width, height / this.clip.height);
      this.view = { scale, x: (width - this.clip.width * scale) / 2, y: (height - this.clip.height * scale) / 2 };
    }
    this.draw();
  }

  /** Zoom by a factor around a place in css px, the middle when none is given. */
  zoom(factor, x = this.canvas.clientWidth / 2, y = this.canvas.clientHeight / 2) {
    if (!this.clip) return;
    const least = Math.min(this.canvas.clientWidth / this.clip.width, this.canvas.clientHeight / this.clip.height);
    const scale = Math.max(least, Math.min(MOST, this.view.scale * factor));
    if (scale <= least) return this.fit();
    const { x: left, y: top, scale: before } = this.view;
    this.view = { scale, x: x - ((x - left) * scale) / before, y: y - ((y - top) * scale) / before };
    this.fitted = false;
    this.keepInside();
    this.draw();
    this.hooks.zoomed();
  }

  pan(dx, dy) {
    this.view.x += dx;
    this.view.y += dy;
    this.fitted = false;
    this.keepInside();
    this.draw();
  }

  keepInside() {
    const { view, clip, canvas } = this;
    for (const [place, side, room] of [["x", clip.width, canvas.clientWidth], ["y", clip.height, canvas.clientHeight]]) {
      const size = side * view.scale;
      view[place] = size <= room ? (room - size) / 2 : Math.min(0, Math.max(room - size, view[place]));
    }
  }

  /** css px of the element from a pointer event, whatever the graph's own zoom is. */
  place(event) {
    const box = this.canvas.getBoundingClientRect();
    const zoom = box.width / this.canvas.clientWidth || 1;
    return { x: (event.clientX - box.left) / zoom, y: (event.clientY - box.top) / zoom };
  }

  toClip({ x, y }, inside = false) {
    const point = { x: (x - this.view.x) / this.view.scale, y: (y - this.view.y) / this.view.scale };
    const hold = (value, most) => Math.max(0, Math.min(most, value));
    return inside ? { x: hold(point.x, this.clip.width), y: hold(point.y, this.clip.height) } : point;
  }

  /** A place inside the picture, its right and lower ends left out. */
  pixel({ x, y }) {
    return [Math.min(x, this.clip.width - 0.1), Math.min(y, this.clip.height - 0.1)];
  }

  toScreen(x, y) {
    return [x * this.view.scale + this.view.x, y * this.view.scale + this.view.y];
  }

  /** The handle under a place: {index, part, corner?}; the object that is drawn on comes first. */
  hit({ x, y }) {
    const order = [this.object, ...this.list.objects.keys()];
    const near = (px, py) => {
      const [sx, sy] = this.toScreen(px, py);
      return Math.hypot(sx - x, sy - y) <= REACH;
    };
    for (const index of order) {
      const prompt = this.list.at(index, this.frame);
      const number = prompt?.points.findLastIndex((point) => near(point.x, point.y)) ?? -1;
      if (number >= 0) return { index, part: number };
    }
    for (const index of order) {
      const box = this.list.at(index, this.frame)?.box;
      if (!box) continue;
      const corner = [[0, 1], [2, 1], [0, 3], [2, 3]].find(([h, v]) => near(box[h], box[v]));
      if (corner) return { index, part: "box", corner };
      const [[x1, y1], [x2, y2]] = [this.toScreen(box[0], box[1]), this.toScreen(box[2], box[3])];
      const across = x > x1 - 4 && x < x2 + 4;
      const down = y > y1 - 4 && y < y2 + 4;
      const edge = Math.min(Math.abs(x - x1), Math.abs(x - x2)) <= 4 ? down : Math.min(Math.abs(y - y1), Math.abs(y - y2)) <= 4 && across;
      if (edge) return { index, part: "box" };
    }
    return null;
  }

  down(event) {
    if (!this.clip) return;
    event.preventDefault();
    const start = this.place(event);
    const panning = event.button === 1 || (event.button === 0 && (event.ctrlKey || event.metaKey));
    const negative = event.button === 2 || event.shiftKey || event.altKey;
    const held = panning || negative ? null : this.hit(start);
    this.press = { start, last: start, panning, negative, held, dragged: false };
    this.canvas.setPointerCapture(event.pointerId);
  }

  move(event) {
    const here = this.place(event);
    const { press } = this;
    if (!press) {
      const hit = this.clip && this.hit(here);
      this.canvas.style.cursor = hit ? (hit.corner || hit.part !== "box" ? "grab" : "pointer") : "crosshair";
      return;
    }
    press.dragged ||= Math.hypot(here.x - press.start.x, here.y - press.start.y) > DRAG;
    if (press.panning) this.pan(here.x - press.last.x, here.y - press.last.y);
    press.last = here;
    if (press.dragged) this.draw();
  }

  up() {
    const { press } = this;
    this.stop();
    if (!press || press.panning) return;
    const here = this.toClip(press.last, true);
    if (press.held && !press.dragged) return this.hooks.select(press.held);
    if (press.held && press.held.part !== "box") return this.hooks.moved(press.held.index, press.held.part, ...this.pixel(here));
    const box = press.dragged && this.pressedBox(press);
    if (box && box[2] - box[0] >= 1 && box[3] - box[1] >= 1) return this.hooks.box(box, press.held?.corner ? press.held.index : null);
    if (press.dragged) return this.draw();
    const point = this.toClip(press.start);
    const inside = point.x >= 0 && point.y >= 0 && point.x <= this.clip.width && point.y <= this.clip.height;
    if (!inside) return;
    this.hooks.point(...this.pixel(point), !(press.negative || this.outside));
  }

  stop() {
    this.press = null;
    this.draw();
  }

  /** The box that is being drawn, or pulled by a corner. */
  pressedBox({ start, last, held }) {
    const to = this.toClip(last, true);
    let from = this.toClip(start, true);
    if (held?.corner) {
      const box = this.list.at(held.index, this.frame).box;
      from = { x: box[2 - held.corner[0]], y: box[4 - held.corner[1]] };
    }
    return [Math.min(from.x, to.x), Math.min(from.y, to.y), Math.max(from.x, to.x), Math.max(from.y, to.y)];
  }

  /** Masks of a preview, {width, height, data} with grey n + 1 for the n-th of `objects` (numbers of our objects). */
  setMasks(found, objects) {
    this.masks = found && paintMasks(found, objects);
    this.draw();
  }

  draw() {
    const { canvas, clip, view } = this;
    const { clientWidth: width, clientHeight: height } = canvas;
    if (!width || !height) return;
    const zoom = Math.min(3, Math.max(1, canvas.getBoundingClientRect().width / width)) * (window.devicePixelRatio || 1);
    if (canvas.width !== Math.round(width * zoom) || canvas.height !== Math.round(height * zoom)) {
      canvas.width = Math.round(width * zoom);
      canvas.height = Math.round(height * zoom);
    }
    const pen = canvas.getContext("2d");
    pen.setTransform(zoom, 0, 0, zoom, 0, 0);
    pen.clearRect(0, 0, width, height);
    if (!clip) return;
    const area = [view.x, view.y, clip.width * view.scale, clip.height * view.scale];
    pen.imageSmoothingEnabled = view.scale < 4;
    if (this.picture) pen.drawImage(this.picture, ...area);
    else {
      pen.fillStyle = "#3a3f47";
      pen.fillRect(...area);
    }
    if (this.masks) pen.drawImage(this.masks, ...area);
    const order = [...this.list.objects.keys()].filter((index) => index !== this.object);
    for (const index of [...order, this.object]) this.drawObject(pen, index);
    if (this.press?.dragged && !this.press.panning) this.drawPress(pen);
  }

  drawObject(pen, index) {
    const prompt = this.list.at(index, this.frame);
    if (!prompt) return;
    pen.globalAlpha = index === this.object ? 1 : 0.75;
    const chosen = this.chosen?.index === index ? this.chosen.part : null;
    if (prompt.box) this.drawBox(pen, prompt.box, index, chosen === "box");
    for (const [number, point] of prompt.points.entries()) this.drawPoint(pen, point, index, chosen === number);
    pen.globalAlpha = 1;
  }

  drawBox(pen, box, index, chosen, label = true) {
    const [[x1, y1], [x2, y2]] = [this.toScreen(box[0], box[1]), this.toScreen(box[2], box[3])];
    for (const [style, line] of [[INK, 4], [colour(index), 2]]) {
      pen.strokeStyle = style;
      pen.lineWidth = line;
      pen.strokeRect(x1, y1, x2 - x1, y2 - y1);
    }
    if (index === this.object) {
      for (const [x, y] of [[x1, y1], [x2, y1], [x1, y2], [x2, y2]]) {
        pen.fillStyle = chosen ? "#fff" : colour(index);
        pen.strokeStyle = INK;
        pen.lineWidth = 1.5;
        pen.fillRect(x - 4, y - 4, 8, 8);
        pen.strokeRect(x - 4, y - 4, 8, 8);
      }
    }
    if (!label) return;
    pen.font = "600 12px system-ui, sans-serif";
    const text = this.list.objects[index].label;
    const wide = pen.measureText(text).width + 10;
    const top = Math.max(0, y1 - 20);
    pen.fillStyle = colour(index);
    pen.fillRect(x1 - 1, top, wide, 18);
    pen.fillStyle = INK;
    pen.fillText(text, x1 + 4, top + 13);
  }

  drawPoint(pen, { x, y, positive }, index, chosen) {
    const [sx, sy] = this.toScreen(x, y);
    const ring = (radius, style, line, fill) => {
      pen.beginPath();
      pen.arc(sx, sy, radius, 0, 7);
      if (fill) {
        pen.fillStyle = fill;
        pen.fill();
      }
      pen.strokeStyle = style;
      pen.lineWidth = line;
      pen.stroke();
    };
    if (chosen) ring(DOT + 5, "#fff", 2);
    ring(DOT + 1.5, INK, 2);
    ring(DOT, positive ? "#fff" : colour(index), 1.5, positive ? colour(index) : INK);
    pen.strokeStyle = positive ? INK : "#fff";
    pen.lineWidth = 2;
    pen.beginPath();
    pen.moveTo(sx - 3, sy);
    pen.lineTo(sx + 3, sy);
    if (positive) {
      pen.moveTo(sx, sy - 3);
      pen.lineTo(sx, sy + 3);
    }
    pen.stroke();
  }

  drawPress(pen) {
    const { held, last } = this.press;
    if (held && held.part !== "box") {
      const point = this.list.at(held.index, this.frame).points[held.part];
      return this.drawPoint(pen, { ...point, ...this.toClip(last, true) }, held.index, true);
    }
    pen.setLineDash([6, 4]);
    this.drawBox(pen, this.pressedBox(this.press), held?.index ?? this.object, true, false);
    pen.setLineDash([]);
  }
}

/** A canvas with tinted masks and a crisp rim. */
function paintMasks({ width, height, data }, objects) {
  const canvas = new OffscreenCanvas(width, height);
  const pen = canvas.getContext("2d");
  const painted = pen.createImageData(width, height);
  const rim = Math.max(1, Math.round(height / 480));
  const at = (x, y) => (x < 0 || y < 0 || x >= width || y >= height ? -1 : data[4 * (y * width + x)]);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const place = 4 * (y * width + x);
      const number = data[place];
      if (!number) continue;
      const edge = at(x - rim, y) !== number || at(x + rim, y) !== number || at(x, y - rim) !== number || at(x, y + rim) !== number;
      painted.data.set([...COLOURS[objects[number - 1] % COLOURS.length], edge ? 255 : 110], place);
    }
  }
  pen.putImageData(painted, 0, 0);
  return canvas;
}
