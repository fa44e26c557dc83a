// The chart of a validation report: measures over the frames, causes as named bands, events as ticks, a cursor to drag.

const SVG = "http://www.w3.org/2000/svg";
const LEFT = 58;
const RIGHT = 14;
const PLOT = 116; // px, height of one plot
const GAP = 20;
const LANE = 19;
const EVENT_LANE = 15;
const MAX_LANES = 8;

// Okabe and Ito's palette. Within one colour the pattern tells causes apart, and every band carries its name.
const ORANGE = "#E69F00";
const SKY = "#56B4E9";
const GREEN = "#009E73";
const BLUE = "#0072B2";
const VERMILION = "#D55E00";
const PURPLE = "#CC79A7";
const GREY = "#8a929c";
const CAUSES = {
  late: [ORANGE, "rising"],
  early: [ORANGE, "falling"],
  airtime: [ORANGE, "upright"],
  moved: [VERMILION, "plain"],
  shifted: [VERMILION, "rising"],
  scaled: [PURPLE, "dots"],
  rotated: [PURPLE, "falling"],
  flicker: [PURPLE, "upright"],
  lost: [BLUE, "plain"],
  appeared: [BLUE, "dots"],
  swapped: [BLUE, "crossed"],
  length: [BLUE, "upright"],
  "contact lost": [GREEN, "plain"],
  "contact added": [GREEN, "dots"],
  pose: [SKY, "plain"],
  "other limb": [SKY, "rising"],
};
// Lines are told apart by their dashes as well as by their colour: [light theme, dark theme, dashes, width].
const LINES = [
  ["#0072B2", "#56B4E9", "", 2.2],
  ["#C77700", "#E69F00", "7 3", 2],
  ["#00795A", "#2FC79A", "2 3", 2.2],
  ["#A6497F", "#E39AC6", "10 3 2 3", 2],
  ["#B84A00", "#FF9A62", "4 4", 2],
  ["#454C55", "#D7DCE2", "12 4", 1.8],
];

/** An SVG element with attributes and children (strings become text). */
export function svg(name, attributes = {}, ...children) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

/** How a cause is drawn: [colour, pattern]. Causes of a newer report are grey. */
export const causeStyle = (name) => CAUSES[name] ?? [GREY, "crossed"];

/** How line n is drawn: {colour, dashes, width}. */
export function lineStyle(n, dark) {
  const [light, bright, dashes, width] = LINES[n % LINES.length];
  return { colour: dark ? bright : light, dashes, width };
}

/** A square that shows how a cause's band looks, for the lists. */
export function causeSwatch(name) {
  const icon = svg("svg", { width: 16, height: 12, "aria-hidden": "true", class: "swatch" });
  const id = `swatch-${idOf(name)}`;
  icon.append(svg("defs", {}, causePattern(name, id)), svg("rect", { width: 16, height: 12, rx: 2, fill: `url(#${id})` }));
  return icon;
}

/** A short stretch of line n, for the choice of measures. */
export function lineSwatch(n, dark) {
  const { colour, dashes, width } = lineStyle(n, dark);
  const icon = svg("svg", { width: 30, height: 10, "aria-hidden": "true", class: "swatch" });
  icon.append(svg("path", { d: "M1 5H29", stroke: colour, "stroke-width": width, "stroke-dasharray": dashes, fill: "none" }));
  return icon;
}

/** What the marks that aren't lines mean: [picture, words]. */
export function markLegend() {
  const box = () => svg("svg", { width: 30, height: 12, "aria-hidden": "true", class: "swatch" });
  const drawn = (...parts) => {
    const icon = box();
    icon.append(...parts);
    return icon;
  };
  const line = (dashes, width) =>
    drawn(svg("path", { d: "M1 6H29", stroke: "currentColor", "stroke-width": width, "stroke-dasharray": dashes }));
  return [
    [line("9 4", 1.2), "limit"],
    [line("1 3", 1.4), "floor: what the tracker alone gets wrong"],
    [drawn(svg("defs", {}, hatch("hatch")), svg("rect", { width: 30, height: 12, fill: "url(#hatch)" })), "not judged"],
    [drawn(svg("rect", { width: 30, height: 12, fill: VERMILION, opacity: 0.3 })), "fails"],
    [drawn(svg("path", { d: "M6 10L11 2L16 10Z", fill: "currentColor" })), "take-off"],
    [drawn(svg("path", { d: "M6 2L11 10L16 2Z", fill: "currentColor" })), "landing"],
  ];
}

/**
 * Draws the chart.
 *
 * data: the viewer's document (see nodes/validation/viewer_data.py); series: [{label, name, measure, line}], what is
 * shown; width: px; onSelect(frame) is called for a click, a drag, and for nothing else.
 * Returns {element, moveTo(frame, text)}.
 */
export function drawChart({ data, series, width, dark, onSelect }) {
  const total = Math.max(data.frames, 1);
  const inner = Math.max(width - LEFT - RIGHT, 80);
  const x = (t) => LEFT + ((t + 0.5) * inner) / total;
  const units = [...new Set(series.map((one) => one.measure.unit))];
  const lanes = packed(data.report.causes, x, width);
  const hidden = Math.max(0, lanes.rows - MAX_LANES);
  const rows = Math.min(lanes.rows, MAX_LANES);
  const events = data.report.events ?? { source: [], generated: [], pairs: [] };
  const hasEvents = events.source.length + events.generated.length > 0;
  const plotsTop = 20;
  const plotsBottom = plotsTop + (units.length ? units.length * (PLOT + GAP) - GAP : 24);
  const lanesTop = plotsBottom + 22;
  const eventsTop = lanesTop + rows * LANE + (hidden ? 14 : 0) + (rows ? 4 : 0);
  const height = eventsTop + (hasEvents ? 2 * EVENT_LANE + 8 : 0) + 4;

  const page = svg("svg", {
    ...{ width, height, viewBox: `0 0 ${width} ${height}`, class: "chart", tabindex: 0, role: "slider" },
    ...{ "aria-label": "Frame", "aria-valuemin": 0, "aria-valuemax": total - 1, "aria-orientation": "horizontal" },
  });
  const defs = svg("defs", {}, hatch("unjudged"));
  for (const name of new Set(data.report.causes.map((cause) => cause.name))) defs.append(causePattern(name, idOf(name)));
  page.append(defs);

  units.forEach((unit, n) => {
    const top = plotsTop + n * (PLOT + GAP);
    page.append(plot({ data, unit, top, x, width, dark, series: series.filter((one) => one.measure.unit === unit) }));
  });
  if (!units.length) page.append(svg("text", { x: LEFT, y: plotsTop + 12, class: "soft" }, "No measure is chosen."));
  page.append(frameAxis(total, x, inner, plotsBottom));

  for (const { cause, place, row } of lanes.placed) {
    if (row < rows) page.append(band(cause, place, lanesTop + row * LANE));
  }
  if (rows) page.append(svg("text", { x: 4, y: lanesTop + 13, class: "soft" }, "causes"));
  if (hidden) page.append(svg("text", { x: LEFT, y: lanesTop + rows * LANE + 10, class: "soft" }, "more causes are listed below"));
  if (hasEvents) page.append(eventLanes(events, eventsTop, x));

  const cursor = svg("g", { class: "cursor" });
  const line = svg("line", { y1: plotsTop - 4, y2: height - 2 });
  const plate = svg("rect", { y: 0, height: 15, rx: 3 });
  const number = svg("text", { y: 11.5, "text-anchor": "middle" });
  cursor.append(line, plate, number);
  page.append(cursor);

  const frameAt = (event) => {
    const box = page.getBoundingClientRect(); // the graph editor may have scaled it
    const at = ((event.clientX - box.left) * width) / box.width;
    return Math.min(total - 1, Math.max(0, Math.floor(((at - LEFT) * total) / inner)));
  };
  page.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    page.setPointerCapture(event.pointerId);
    page.focus({ preventScroll: true });
    onSelect(frameAt(event));
  });
  page.addEventListener("pointermove", (event) => {
    if (page.hasPointerCapture(event.pointerId)) onSelect(frameAt(event));
  });

  return {
    element: page,
    moveTo(frame, text) {
      const at = x(frame);
      const half = 5 + 3.8 * String(frame).length;
      const middle = Math.min(Math.max(at, half), width - half);
      line.setAttribute("x1", at);
      line.setAttribute("x2", at);
      plate.setAttribute("x", middle - half);
      plate.setAttribute("width", 2 * half);
      number.setAttribute("x", middle);
      number.textContent = String(frame);
      page.setAttribute("aria-valuenow", frame);
      page.setAttribute("aria-valuetext", text);
    },
  };
}

function plot({ data, unit, series, top, x, width, dark }) {
  const group = svg("g");
  const { low, high, clipped } = rangeOf(series);
  const y = (value) => top + PLOT - ((value - low) / (high - low)) * PLOT;
  const right = width - RIGHT;
  group.append(svg("rect", { x: LEFT, y: top, width: right - LEFT, height: PLOT, class: "plot" }));
  for (const { start, stop } of data.report.not_judged) {
    group.append(svg("rect", { ...span(x, start, stop), y: top, height: PLOT, fill: "url(#unjudged)" }));
  }
  for (const [start, stop] of united(data.report.failing_ranges)) {
    group.append(svg("rect", { ...span(x, start, stop), y: top, height: PLOT, fill: VERMILION, opacity: dark ? 0.26 : 0.16 }));
  }
  for (const value of ticks(low, high)) {
    group.append(svg("line", { x1: LEFT, x2: right, y1: y(value), y2: y(value), class: "grid" }));
    group.append(svg("text", { x: LEFT - 6, y: y(value) + 4, "text-anchor": "end", class: "soft" }, short(value)));
  }
  group.append(svg("text", { x: LEFT, y: top - 5, class: "soft" }, unit || "agreement, 0 to 1"));
  if (clipped !== null) {
    group.append(svg("text", { x: right - 4, y: top + 11, "text-anchor": "end", class: "soft" }, `goes up to ${short(clipped)}`));
  }
  const inside = (value) => Math.min(Math.max(value, low), high);
  for (const { measure, line } of series) {
    const { colour, dashes, width: thick } = lineStyle(line, dark);
    const common = { fill: "none", stroke: colour, "stroke-linejoin": "round", "stroke-linecap": "round" };
    const draw = (values) => path(values, data.stride, x, (value) => y(inside(value)));
    if (measure.floor) {
      group.append(svg("path", { ...common, d: draw(measure.floor), "stroke-width": 1.4, "stroke-dasharray": "1 3", opacity: 0.9 }));
    }
    if (measure.limit !== null && measure.limit !== undefined) {
      const at = y(inside(measure.limit));
      group.append(svg("line", { x1: LEFT, x2: right, y1: at, y2: at, stroke: colour, "stroke-width": 1.2, "stroke-dasharray": "9 4" }));
    }
    group.append(svg("path", { ...common, d: draw(measure.values), "stroke-width": thick, "stroke-dasharray": dashes }));
  }
  return group;
}

/** Ranges that don't overlap: [[start, stop]]. */
function united(ranges) {
  const found = [];
  for (const { start, stop } of [...ranges].sort((a, b) => a.start - b.start)) {
    const last = found[found.length - 1];
    if (last && start <= last[1]) last[1] = Math.max(stop, last[1]);
    else found.push([start, stop]);
  }
  return found;
}

/** {low, high, clipped}: what the axis shows; a few far outliers don't flatten everything else, `clipped` names them. */
function rangeOf(series) {
  const all = [];
  let limit = 0;
  let ratio = true;
  for (const { measure } of series) {
    for (const list of [measure.values, measure.floor ?? []]) for (const value of list) if (value !== null) all.push(value);
    limit = Math.max(limit, measure.limit ?? 0);
    ratio = ratio && measure.better === "higher";
  }
  all.sort((a, b) => a - b);
  const top = all.length ? all[all.length - 1] : 1;
  const bottom = all.length ? Math.min(0, all[0]) : 0;
  if (ratio && top <= 1 && bottom >= 0) return { low: 0, high: 1, clipped: null };
  const usual = all.length ? all[Math.floor(0.9 * (all.length - 1))] : 1;
  const high = Math.max(limit * 1.25, Math.min(top, Math.max(3 * limit, 1.5 * usual))) || 1;
  return { low: bottom, high, clipped: top > high ? top : null };
}

function path(values, stride, x, y) {
  let d = "";
  let open = false;
  values.forEach((value, n) => {
    if (value === null) {
      open = false;
      return;
    }
    const at = `${x(n * stride).toFixed(1)} ${y(value).toFixed(1)}`;
    d += open ? `L${at}` : `M${at}h0`; // h0: a frame between two that are not judged is a dot
    open = true;
  });
  return d;
}

function frameAxis(total, x, inner, bottom) {
  const axis = svg("g");
  const step = [1, 2, 5, 10, 20, 25, 50, 100, 200, 250, 500, 1000, 2000, 5000, 10000].find((n) => (inner * n) / total > 44) ?? 50000;
  for (let t = 0; t < total; t += step) {
    axis.append(svg("line", { x1: x(t), x2: x(t), y1: bottom, y2: bottom + 4, class: "tick" }));
    axis.append(svg("text", { x: x(t), y: bottom + 15, "text-anchor": "middle", class: "soft" }, String(t)));
  }
  axis.append(svg("text", { x: 4, y: bottom + 15, class: "soft" }, "frame"));
  return axis;
}

/** Where a cause's band and its name go: on the band where the name fits, else beside it, on the side with room. */
function bandPlace(cause, x, width) {
  const { x: left, width: wide } = span(x, cause.start, cause.stop);
  const needed = 7 * cause.name.length + 8;
  const right = left + wide;
  if (wide >= needed) return { left, wide, from: left, to: right, name: { x: left + wide / 2, "text-anchor": "middle" } };
  if (right + needed < width) return { left, wide, from: left, to: right + needed, name: { x: right + 4, "text-anchor": "start" } };
  return { left, wide, from: left - needed, to: right, name: { x: left - 4, "text-anchor": "end" } };
}

/** Each cause in the highest row where it and its name overlap no other: {placed: [{cause, place, row}], rows}. */
function packed(causes, x, width) {
  const ends = [];
  const places = causes.map((cause) => ({ cause, place: bandPlace(cause, x, width) }));
  places.sort((a, b) => a.place.from - b.place.from);
  const placed = places.map(({ cause, place }) => {
    let row = ends.findIndex((end) => end <= place.from);
    if (row < 0) row = ends.length;
    ends[row] = place.to + 3;
    return { cause, place, row };
  });
  return { placed, rows: ends.length };
}

function band(cause, { left, wide, name }, top) {
  const [colour] = causeStyle(cause.name);
  const shape = { x: left, y: top, width: wide, height: LANE - 4, rx: 2 };
  return svg(
    "g",
    { class: "band" },
    svg("title", {}, cause.text),
    svg("rect", { ...shape, fill: `url(#${idOf(cause.name)})`, stroke: colour }),
    svg("text", { ...name, y: top + 12, class: "name" }, cause.name),
  );
}

function eventLanes(events, top, x) {
  const group = svg("g", { class: "events" });
  const middle = { source: top + EVENT_LANE / 2, generated: top + EVENT_LANE * 1.5 };
  for (const clip of ["source", "generated"]) {
    group.append(svg("text", { x: 4, y: middle[clip] + 4, class: "soft" }, clip));
    for (const { kind, frame } of events[clip]) {
      const up = kind === "take-off" || kind === "takeoff";
      const at = x(frame);
      const d = up ? `M${at - 5} ${middle[clip] + 4}h10l-5 -9z` : `M${at - 5} ${middle[clip] - 4}h10l-5 9z`;
      group.append(svg("path", { d, class: clip }, svg("title", {}, `${clip}: ${kind}, frame ${frame}`)));
    }
  }
  for (const { source_frame: from, generated_frame: to } of events.pairs ?? []) {
    if (from === null || to === null || from === to) continue;
    group.append(svg("line", { x1: x(from), y1: middle.source + 4, x2: x(to), y2: middle.generated - 5, class: "pair" }));
  }
  return group;
}

function causePattern(name, id) {
  const [colour, kind] = causeStyle(name);
  const made = svg("pattern", { id, width: 7, height: 7, patternUnits: "userSpaceOnUse" });
  made.append(svg("rect", { width: 7, height: 7, fill: colour, opacity: kind === "plain" ? 0.75 : 0.3 }));
  const strokes = {
    plain: "",
    rising: "M-1 8L8 -1M-4 4L4 -4M3 11L11 3",
    falling: "M-1 -1L8 8M3 -4L11 4M-4 3L4 11",
    upright: "M3.5 0V7",
    crossed: "M-1 8L8 -1M-1 -1L8 8",
    dots: "",
  };
  if (strokes[kind]) made.append(svg("path", { d: strokes[kind], stroke: colour, "stroke-width": 1.7, fill: "none" }));
  if (kind === "dots") made.append(svg("circle", { cx: 3.5, cy: 3.5, r: 1.7, fill: colour }));
  return made;
}

function hatch(id) {
  const made = svg("pattern", { id, width: 6, height: 6, patternUnits: "userSpaceOnUse", class: "hatch" });
  made.append(svg("path", { d: "M-1 7L7 -1M-3 3L3 -3M3 9L9 3", stroke: "currentColor", "stroke-width": 1, opacity: 0.45, fill: "none" }));
  return made;
}

const idOf = (name) => `cause-${name.replace(/[^a-z]/gi, "-")}`;

const span = (x, start, stop) => ({ x: x(start - 0.5), width: Math.max(x(stop - 0.5) - x(start - 0.5), 1.5) });

function ticks(low, high) {
  const rough = (high - low) / 4;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 2.5, 5, 10].find((n) => n * power >= rough) * power;
  const found = [];
  for (let value = Math.ceil(low / step) * step; value <= high + step / 1e6; value += step) found.push(value);
  return found;
}

/** A number in at most four characters or so: 0.62, 12.5, 1234. */
export function short(value) {
  if (value === null || value === undefined) return "–";
  const size = Math.abs(value);
  return size >= 100 ? value.toFixed(0) : String(Number(value.toFixed(size >= 10 ? 1 : 2)));
}
