// The report viewer: one module for the Validate Physics node in the graph editor and for the HTML page on disk.

import { causeSwatch, drawChart, lineSwatch, markLegend, short } from "./report_chart.js";
import { MODES, OUTLINES, framePanes } from "./report_frames.js";
import { STYLE } from "./report_style.js";

const MARKS = { passed: "✓", failed: "✗", "could not judge": "?", "not judged": "–" };
const FIRST_MEASURES = ["region", "boundary"];
const NAMES = { region: "region J", boundary: "boundary F", pose_oks: "pose OKS" };
const MARGIN = "How sure this is: so many times the tracker's own error lies between value and limit.";
const KEPT_RECORDS = 48;
const KEYS = "← → step, Shift 10 frames, N / P next and previous failing frame, Home / End";

/** An HTML element with attributes and children; text is only ever set as text, so a report can't bring markup. */
function make(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children.filter((child) => child !== null));
  return made;
}

/**
 * Shows a report inside `host`, an empty element.
 *
 * data: the document of nodes/validation/viewer_data.py; load(frame): a promise of that frame's record, for frames in
 * data.pictures; theme: "light", "dark" or null for the system's.
 * Returns the viewer; select(frame), key(event), dress(theme) and close() are for the page around it.
 */
export function showReport(host, data, load, theme = null) {
  return new Viewer(host, data, load, theme);
}

class Viewer {
  constructor(host, data, load, theme) {
    Object.assign(this, { host, data, load });
    this.report = data.report;
    this.frame = 0;
    this.records = new Map();
    this.show = { mode: "outlines", source: true, found: true, labels: data.labels };
    this.series = this.firstSeries();
    this.failing = failingFrames(this.report, data.frames);

    const root = host.shadowRoot ?? host.attachShadow({ mode: "open" });
    const style = make("style");
    style.textContent = STYLE;
    this.body = make("div", { class: "viewer", tabindex: -1, role: "region", "aria-label": `Validation report of ${this.report.label}` });
    this.chartPlace = make("div", { class: "chart-place" });
    this.readout = make("output", { class: "readout", "aria-live": "polite" });
    this.panes = framePanes(make, data);
    this.body.append(
      this.head(),
      this.measureChoice(),
      this.chartPlace,
      this.legend(),
      this.controls(),
      this.panes.element,
      this.viewChoice(),
      this.rules(),
      this.causes(),
      this.about(),
    );
    root.replaceChildren(style, this.body);
    this.body.addEventListener("keydown", (event) => this.key(event));
    // In the graph editor these would drag the node or pan the graph.
    for (const kind of ["pointerdown", "pointermove", "pointerup", "dblclick", "contextmenu"]) {
      this.body.addEventListener(kind, (event) => event.stopPropagation());
    }
    this.scheme = matchMedia("(prefers-color-scheme: dark)");
    this.redraw = () => this.drawChart();
    this.scheme.addEventListener("change", this.redraw);
    this.watch = new ResizeObserver(() => {
      if (this.chartPlace.clientWidth !== this.drawnWidth) this.drawChart();
    });
    this.watch.observe(this.chartPlace);
    this.dress(theme);
    this.select(this.firstFrame());
  }

  /** Change the theme: "light", "dark", or null for the system's. */
  dress(theme) {
    this.theme = theme;
    if (theme) this.body.dataset.theme = theme;
    else delete this.body.dataset.theme;
    this.drawChart();
  }

  close() {
    this.watch.disconnect();
    this.scheme.removeEventListener("change", this.redraw);
    this.host.shadowRoot.replaceChildren();
  }

  /** Show a frame: chart, pictures, words. */
  select(frame) {
    this.frame = Math.min(Math.max(Math.round(frame) || 0, 0), Math.max(this.data.frames - 1, 0));
    const words = this.words(this.frame);
    this.readout.textContent = words;
    this.number.value = String(this.frame);
    this.chart.moveTo(this.frame, words);
    this.drawFrame();
  }

  step(by) {
    this.select(this.frame + by);
  }

  /** To the next (1) or previous (-1) failing frame; stays where there is none. */
  stepFailing(way) {
    const next = way > 0 ? this.failing.find((t) => t > this.frame) : this.failing.findLast((t) => t < this.frame);
    if (next !== undefined) this.select(next);
  }

  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    event.stopPropagation(); // single letters are commands of the graph editor
    const field = event.target.localName;
    if (field === "select" || (field === "input" && event.target.type === "number")) return;
    const far = event.shiftKey ? 10 : 1;
    const moves = {
      ArrowLeft: () => this.step(-far),
      ArrowRight: () => this.step(far),
      Home: () => this.select(0),
      End: () => this.select(this.data.frames - 1),
      n: () => this.stepFailing(1),
      p: () => this.stepFailing(-1),
    };
    const move = moves[event.key] ?? moves[event.key.toLowerCase()];
    if (!move) return;
    event.preventDefault();
    move();
  }

  firstSeries() {
    const measures = this.report.measures[this.report.label] ?? {};
    const wanted = FIRST_MEASURES.filter((name) => measures[name]);
    return (wanted.length ? wanted : Object.keys(measures).slice(0, 1)).map((name) => this.seriesOf(this.report.label, name));
  }

  seriesOf(label, name) {
    const all = Object.entries(this.report.measures).flatMap(([of, measures]) => Object.keys(measures).map((one) => `${of}\n${one}`));
    return { label, name, measure: this.report.measures[label][name], line: all.indexOf(`${label}\n${name}`) };
  }

  firstFrame() {
    const worst = this.report.rules.find((rule) => rule.verdict === "failed" && rule.worst_frames.length);
    return worst?.worst_frames[0] ?? this.report.causes[0]?.worst_frame ?? 0;
  }

  get dark() {
    return this.theme ? this.theme === "dark" : this.scheme.matches;
  }

  drawChart() {
    const width = this.chartPlace.clientWidth || 640;
    this.drawnWidth = this.chartPlace.clientWidth;
    const focused = this.host.shadowRoot.activeElement === this.chart?.element;
    this.chart = drawChart({
      ...{ data: this.data, series: this.series, width, dark: this.dark },
      onSelect: (frame) => frame !== this.frame && this.select(frame),
    });
    this.chartPlace.replaceChildren(this.chart.element);
    if (focused) this.chart.element.focus();
    this.chart.moveTo(this.frame, this.words(this.frame));
    this.drawLegend();
    this.choices.forEach((icon, key) => icon.replaceChildren(lineSwatch(key, this.dark)));
  }

  async drawFrame() {
    const frame = this.frame;
    const shown = nearest(this.data.pictures, frame);
    this.substitute.hidden = shown === null || shown === frame;
    this.substitute.textContent = `Frame ${frame} has no pictures here; these are of frame ${shown}, the nearest that has.`;
    const record = shown === null ? null : await this.record(shown);
    if (frame !== this.frame) return;
    await this.panes.draw(record, this.show, shown);
    this.body.dataset.shown = String(shown);
  }

  async record(frame) {
    if (!this.records.has(frame)) {
      this.records.set(frame, this.load(frame));
      if (this.records.size > KEPT_RECORDS) this.records.delete(this.records.keys().next().value);
    }
    return this.records.get(frame);
  }

  /** What there is to say about a frame. */
  words(frame) {
    const said = [`Frame ${frame} of ${this.data.frames}`, `${(frame / this.data.rate).toFixed(2)} s`];
    const skipped = this.report.not_judged.find(({ start, stop }) => start <= frame && frame < stop);
    if (skipped) said.push(`not judged: ${skipped.why}`);
    for (const { label, name, measure } of this.series) {
      const value = measure.values[Math.floor(frame / this.data.stride)];
      if (value !== null && value !== undefined) {
        const of = label === this.report.label ? "" : ` of ${label}`;
        said.push(`${inWords(name)}${of} ${withUnit(value, measure.unit)}`);
      }
    }
    const causes = this.report.causes.filter(({ start, stop }) => start <= frame && frame < stop).map(({ name }) => name);
    if (causes.length) said.push(`cause: ${causes.join(", ")}`);
    else if (this.failing.includes(frame)) said.push("fails");
    return said.join(" · ");
  }

  link(frame) {
    const button = make("button", { type: "button", class: "link", "aria-label": `show frame ${frame}` }, String(frame));
    button.addEventListener("click", () => this.select(frame));
    return button;
  }

  head() {
    const { verdict, label, summary, score } = this.report;
    const badge = make("span", { class: "badge", "data-verdict": verdict }, `${MARKS[verdict] ?? ""} ${verdict}`);
    const title = make("h2", {}, badge, ` ${label}`);
    if (score !== null && score !== undefined) title.append(make("span", { class: "score" }, `score ${short(score)}`));
    return make("header", {}, title, make("p", {}, summary));
  }

  measureChoice() {
    const place = make("div", { class: "choice", role: "group", "aria-label": "Measures in the chart" });
    this.choices = new Map();
    for (const [label, measures] of Object.entries(this.report.measures)) {
      const set = make("fieldset", {}, make("legend", {}, label));
      for (const [name, measure] of Object.entries(measures)) {
        const series = this.seriesOf(label, name);
        const box = make("input", { type: "checkbox", "data-measure": `${label} ${name}` });
        box.checked = this.series.some((one) => one.label === label && one.name === name);
        box.addEventListener("change", () => {
          this.series = this.series.filter((one) => one.line !== series.line);
          if (box.checked) this.series = [...this.series, series].sort((a, b) => a.line - b.line);
          this.drawChart();
          this.select(this.frame);
        });
        const icon = make("span");
        this.choices.set(series.line, icon);
        set.append(make("label", {}, box, icon, inWords(name), measure.unit ? make("small", {}, ` ${measure.unit}`) : ""));
      }
      place.append(set);
    }
    const more = make("details", { open: "" }, make("summary", {}, "Measures"), place);
    more.open = Object.values(this.report.measures).reduce((n, of) => n + Object.keys(of).length, 0) <= 6;
    return more;
  }

  legend() {
    this.lines = make("ul", { class: "legend", "aria-label": "What the lines and marks mean" });
    return this.lines;
  }

  drawLegend() {
    const lines = this.series.map(({ label, name, line }) => [lineSwatch(line, this.dark), this.nameOf(label, name)]);
    this.lines.replaceChildren(...[...lines, ...markLegend()].map(([icon, words]) => make("li", {}, icon, words)));
  }

  nameOf(label, name) {
    const { unit } = this.report.measures[label][name];
    return `${inWords(name)}${label === this.report.label ? "" : ` of ${label}`}${unit ? `, ${unit}` : ""}`;
  }

  controls() {
    const bar = make("div", { class: "controls", role: "group", "aria-label": "Frames" });
    const button = (text, words, act) => {
      const made = make("button", { type: "button", "aria-label": words, title: words }, text);
      made.addEventListener("click", act);
      return made;
    };
    this.number = make("input", { type: "number", min: 0, max: Math.max(this.data.frames - 1, 0), "aria-label": "frame number" });
    this.number.addEventListener("change", () => this.select(Number(this.number.value)));
    const none = this.failing.length === 0;
    const previous = button("◀ failing", "previous failing frame (P)", () => this.stepFailing(-1));
    const next = button("failing ▶", "next failing frame (N)", () => this.stepFailing(1));
    previous.disabled = next.disabled = none;
    bar.append(
      previous,
      button("−10", "ten frames back (Shift ←)", () => this.step(-10)),
      button("◀", "one frame back (←)", () => this.step(-1)),
      this.number,
      button("▶", "one frame on (→)", () => this.step(1)),
      button("+10", "ten frames on (Shift →)", () => this.step(10)),
      next,
      make("span", { class: "soft keys" }, KEYS),
    );
    return make("div", {}, bar, this.readout);
  }

  viewChoice() {
    const bar = make("div", { class: "controls", role: "group", "aria-label": "What the pictures show" });
    const mode = make("select", { "aria-label": "how the clips are compared" });
    for (const [value, words] of Object.entries(MODES)) mode.append(make("option", { value }, words));
    mode.addEventListener("change", () => this.look({ mode: mode.value }));
    bar.append(make("label", {}, "compare by ", mode));
    for (const [key, { name, colour }] of Object.entries(OUTLINES)) {
      const box = make("input", { type: "checkbox" });
      box.checked = true;
      box.addEventListener("change", () => this.look({ [key]: box.checked }));
      const dot = make("span", { class: `outline ${key}` });
      dot.style.borderColor = colour;
      bar.append(make("label", {}, box, dot, name));
    }
    if (this.data.labels.length > 1) {
      const which = make("select", { "aria-label": "whose outlines" }, make("option", { value: "" }, "all objects"));
      this.data.labels.forEach((label, n) => which.append(make("option", { value: n }, label)));
      which.addEventListener("change", () => this.look({ labels: which.value ? [this.data.labels[which.value]] : this.data.labels }));
      bar.append(make("label", {}, "of ", which));
    }
    this.substitute = make("p", { class: "note", hidden: "" });
    return make("div", {}, this.substitute, bar);
  }

  look(change) {
    this.show = { ...this.show, ...change };
    this.drawFrame();
  }

  rules() {
    const order = (rule) => ["failed", "not judged", "passed"].indexOf(rule.verdict);
    const rows = [...this.report.rules].sort((a, b) => order(a) - order(b)).map((rule) => {
      const worst = make("td");
      rule.worst_frames.forEach((frame) => worst.append(this.link(frame), " "));
      const verdict = make("span", { class: "verdict", "data-verdict": rule.verdict }, `${MARKS[rule.verdict] ?? ""} ${rule.verdict}`);
      const numbers = [rule.value, rule.limit, rule.floor].map((value) => make("td", { class: "number", title: rule.unit }, withUnit(value, rule.unit)));
      const sure = make("td", { class: "number", title: MARGIN }, withUnit(rule.margin, "x"));
      return make("tr", {}, make("td", {}, verdict), make("td", {}, rule.text), ...numbers, sure, worst);
    });
    const heads = ["verdict", "rule", "value", "limit", "floor", "margin", "worst frames"].map((text) => make("th", { scope: "col" }, text));
    const table = make("table", {}, make("thead", {}, make("tr", {}, ...heads)), make("tbody", {}, ...rows));
    const scroll = make("div", { class: "scroll" }, table);
    return make("section", { "aria-label": "Rules" }, make("h3", {}, "Rules"), rows.length ? scroll : make("p", {}, "No rule was judged."));
  }

  causes() {
    const items = this.report.causes.map((cause) => {
      const last = cause.stop - 1;
      const where = cause.start === last ? `frame ${last}` : `frames ${cause.start} to ${last}`;
      return make(
        "li",
        {},
        causeSwatch(cause.name),
        make("strong", {}, cause.name),
        ` ${where}: ${cause.text} (worst: `,
        this.link(cause.worst_frame),
        ")",
      );
    });
    const list = items.length ? make("ul", { class: "plain" }, ...items) : make("p", {}, "Nothing to explain.");
    return make("section", { "aria-label": "Causes" }, make("h3", {}, "Causes"), list);
  }

  about() {
    const { report } = this;
    const clip = ({ name, frames, width, height, rate }) => `${name}: ${frames} frames of ${width}x${height}, ${rate} per second`;
    const rows = [
      ["source", clip(report.source)],
      ["generated", clip(report.generated)],
      ["judged", report.coverage === null || report.coverage === undefined ? "" : `${(100 * report.coverage).toFixed(0)} % of the frames`],
      ["turns over the clip", turnWords(report.rotation)],
      ["profile", report.profile?.name ?? ""],
      ["trackers", [report.source_tracker, report.tracker].filter(Boolean).join("; ")],
      ...report.not_judged.map(({ start, stop, why }) => [`not judged, ${stop - start > 1 ? `${start} to ${stop - 1}` : start}`, why]),
      ...report.warnings.map((text) => ["warning", text]),
      ...this.data.left_out.map((text) => ["left out here", text]),
    ];
    const list = make("dl", {});
    for (const [term, text] of rows) if (text) list.append(make("dt", {}, term), make("dd", {}, text));
    const open = report.warnings.length > 0 || this.data.left_out.length > 0 ? { open: "" } : {};
    return make("details", open, make("summary", {}, "About this report"), list);
  }
}

/** Sorted frames that fail, as the report's ranges have them. */
function failingFrames(report, total) {
  const found = new Set();
  for (const { start, stop } of report.failing_ranges) for (let t = start; t < Math.min(stop, total); t++) found.add(t);
  return [...found].sort((a, b) => a - b);
}

function nearest(frames, frame) {
  let best = null;
  for (const t of frames) if (best === null || Math.abs(t - frame) < Math.abs(best - frame)) best = t;
  return best;
}

/** How far the object's long axis turns from the first frame to the last; "" where that can't be told. */
function turnWords(rotation) {
  if ((rotation?.difference_deg ?? null) === null) return "";
  const { source_deg: source, generated_deg: generated, floor_deg: floor } = rotation;
  const words = `${short(source)} degrees in the source, ${short(generated)} in the generated clip`;
  return floor === null ? words : `${words} (the tracker's own error: ${short(floor)})`;
}

const inWords = (name) => NAMES[name] ?? name.replace(/_(px|percent|deg|ms)$/, "").replaceAll("_", " ");

/** A number and its unit; "% of the person's height" is "%" here. */
function withUnit(value, unit) {
  if (value === null || value === undefined) return "–";
  const word = unit.length > 9 ? unit.split(" ")[0] : unit;
  return word ? `${short(value)} ${word}` : short(value);
}
