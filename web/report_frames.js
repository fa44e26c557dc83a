// One frame of both clips: the original, the generated clip, and the two laid over each other with their outlines.

// Sky blue and orange (Okabe and Ito) on a dark casing; the found outline is dashed, so colour isn't needed.
const SOURCE = { colour: "#56B4E9", dashes: [], name: "source outline (solid)" };
const FOUND = { colour: "#E69F00", dashes: [7, 4], name: "found outline (dashed)" };
const CASING = "rgba(0, 0, 0, 0.75)";

export const OUTLINES = { source: SOURCE, found: FOUND };
export const MODES = { outlines: "outlines", blend: "blend", difference: "difference" };

const WORDS = { source: "original", generated: "generated", both: "compared" };

/**
 * The three pictures.
 *
 * make(name, attributes, ...children) makes an HTML element. Returns {element, draw}; draw takes the frame's record
 * ({source, generated: data URL or null, outlines: {label: {expected, found: [[x0, y0, dx, dy, ...]]}}, unit: px}),
 * and {mode, source, found, labels}: what is to be seen.
 */
export function framePanes(make, data) {
  const panes = {};
  const element = make("div", { class: "panes" });
  for (const [name, words] of Object.entries(WORDS)) {
    const canvas = make("canvas", { width: data.width, height: data.height, role: "img" });
    const note = make("div", { class: "missing", hidden: "" });
    const caption = make("figcaption", {}, words);
    panes[name] = { canvas, note, caption };
    element.append(make("figure", {}, make("div", { class: "picture" }, canvas, note), caption));
  }
  let newest = 0;

  async function draw(record, show, frame) {
    const turn = ++newest;
    const [source, generated] = await Promise.all([picture(record?.source), picture(record?.generated)]);
    if (turn !== newest) return; // a later frame was asked for meanwhile
    const outlines = outlinesOf(record, show.labels);
    paint(panes.source, "original", frame, record, source, (context) => {
      context.drawImage(source, 0, 0, data.width, data.height);
      if (show.source) stroke(context, outlines.expected, SOURCE, data);
    });
    paint(panes.generated, "generated", frame, record, generated, (context) => {
      context.drawImage(generated, 0, 0, data.width, data.height);
      if (show.found) stroke(context, outlines.found, FOUND, data);
    });
    paint(panes.both, MODES[show.mode], frame, record, source && generated, (context) => {
      compare(context, source, generated, show.mode, data);
      if (show.source) stroke(context, outlines.expected, SOURCE, data);
      if (show.found) stroke(context, outlines.found, FOUND, data);
    });
  }
  return { element, draw };
}

function paint({ canvas, note, caption }, words, frame, record, there, how) {
  const context = canvas.getContext("2d");
  context.clearRect(0, 0, canvas.width, canvas.height);
  note.hidden = Boolean(there);
  caption.textContent = words;
  if (there) how(context);
  else if (!record) note.textContent = "no pictures were kept";
  else note.textContent = words === "original" || words === "generated" ? `the ${words} clip has no such frame` : "nothing to compare";
  canvas.setAttribute("aria-label", there ? `${words}, frame ${frame}` : note.textContent);
}

function compare(context, source, generated, mode, { width, height }) {
  context.save();
  if (mode === "outlines") {
    context.filter = "grayscale(1) brightness(0.8)";
    context.drawImage(generated, 0, 0, width, height);
  } else {
    context.drawImage(source, 0, 0, width, height);
    if (mode === "blend") context.globalAlpha = 0.5;
    else context.globalCompositeOperation = "difference";
    context.drawImage(generated, 0, 0, width, height);
  }
  context.restore();
}

function stroke(context, loops, { colour, dashes }, { width, outline_unit: unit }) {
  const scale = Math.max(1, width / 480);
  const path = new Path2D();
  for (const loop of loops) {
    let [x, y] = loop;
    path.moveTo(x * unit, y * unit);
    for (let n = 2; n < loop.length; n += 2) {
      x += loop[n];
      y += loop[n + 1];
      path.lineTo(x * unit, y * unit);
    }
    path.closePath();
  }
  context.save();
  context.lineJoin = "round";
  context.strokeStyle = CASING;
  context.lineWidth = 3.4 * scale;
  context.stroke(path);
  context.setLineDash(dashes);
  context.strokeStyle = colour;
  context.lineWidth = 1.8 * scale;
  context.stroke(path);
  context.restore();
}

function outlinesOf(record, labels) {
  const found = { expected: [], found: [] };
  for (const label of labels) {
    const one = record?.outlines[label];
    if (one) for (const kind of ["expected", "found"]) found[kind].push(...one[kind]);
  }
  return found;
}

async function picture(url) {
  if (!url) return null;
  const image = new Image();
  image.src = url;
  await image.decode();
  return image;
}
