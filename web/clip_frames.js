// Frames of the clip that a node gets, and the masks its prompts make, asked of the server while a person looks at them.
//
// A file that Load Video names is read at once. Anything else comes out of a run: the graph is queued with one target more,
// Preview Prompts, so that just what that needs runs; every node of the graph itself stays as it is, and so do its cached
// results.

import { app } from "../../scripts/app.js";
import { api } from "../../scripts/api.js";

// Ids of the added nodes in the queued graph.
const EXTRA = "physics-preview";
const EXTRA_PROMPTS = "physics-preview-prompts";
const POLL_MS = 150;
const KEPT = 24; // pictures

/** The file of the Load Video that a node's input comes from, or null. */
export function loadedFile(node, input) {
  let source = node.getInputNode(input);
  while (source?.type === "Reroute") source = source.getInputNode(0);
  if (source?.comfyClass !== "LoadVideo" || source.mode !== 0) return null;
  return source.widgets.find((widget) => widget.name === "file")?.value || null;
}

/** Facts of the file's clip: {token, name, width, height, frames, rate}. */
export async function openFile(file) {
  return (await asked(`/physics_preserver/clip?${new URLSearchParams({ file })}`)).json();
}

async function asked(path, options) {
  const answer = await api.fetchApi(path, options);
  if (answer.ok) return answer;
  const error = new Error((await answer.text()) || `${answer.status} ${answer.statusText}`);
  error.gone = answer.status === 404;
  throw error;
}

/** Pictures of one clip, newest wish first: while one is on its way only the last of the others is kept. */
export class Frames {
  constructor(facts) {
    Object.assign(this, facts);
    this.pictures = new Map();
    this.waiting = null;
    this.busy = false;
  }

  /** An ImageBitmap of a frame, its longer side at most `side` px (0 = all of it); null when another was wanted since. */
  async picture(index, side) {
    const key = `${index}/${side}`;
    const kept = this.pictures.get(key);
    if (kept) return kept;
    this.waiting?.(false);
    const turn = !this.busy || (await new Promise((go) => (this.waiting = go)));
    if (!turn) return null;
    this.busy = true;
    try {
      const query = new URLSearchParams({ clip: this.token, index, side });
      const picture = await createImageBitmap(await (await asked(`/physics_preserver/frame?${query}`)).blob());
      this.pictures.set(key, picture);
      if (this.pictures.size > KEPT) this.pictures.delete(this.pictures.keys().next().value);
      return picture;
    } finally {
      this.busy = false;
      const next = this.waiting;
      this.waiting = null;
      next?.(true);
    }
  }
}

/**
 * Run Preview Prompts for a Prompt Objects node: its frames, and with `text` what those prompts make on `frame`.
 *
 * `told` is called with a line to show while waiting; `signal` cancels. Resolves to {clip, masks}: the clip's facts, and
 * {frame, labels, by, filename, subfolder, type}. Rejects with an Error that says what the server found wrong.
 */
export async function runPreview(node, { frame, text, told, signal }) {
  const { output, workflow } = await app.graphToPrompt();
  const id = Object.keys(output).find((key) => key === String(node.id) || key.endsWith(`:${node.id}`));
  const inputs = output[id]?.inputs;
  if (!inputs?.clip) throw new Error("Connect a clip first.");
  const extra = { clip: inputs.clip, frame };
  if (text !== undefined) {
    output[EXTRA_PROMPTS] = { ...output[id], inputs: { ...inputs, objects: text, points_of: "" } };
    extra.prompts = [EXTRA_PROMPTS, 0];
    const tracker = Object.values(output).find((other) => isLink(other.inputs.prompts, id) && other.inputs.sam2);
    const sam2 = inputs.sam2 ?? tracker?.inputs.sam2;
    if (sam2) extra.sam2 = sam2;
  }
  output[EXTRA] = { class_type: "PP_PreviewPrompts", inputs: extra, _meta: { title: "Preview Prompts" } };
  // Without a client id the run's messages go to nobody: the editor's own state stays as it is.
  const queued = await post("/prompt", {
    prompt: output,
    partial_execution_targets: [EXTRA],
    front: true,
    extra_data: { extra_pnginfo: { workflow } },
  });
  const { prompt_id: job, node_errors: wrong } = await queued.json();
  if (!queued.ok || !job) throw new Error(nodeErrors(wrong, output) ?? "ComfyUI can't run this graph.");
  signal?.addEventListener("abort", () => cancel(job));
  try {
    return await outcome(job, told);
  } finally {
    await post("/history", { delete: [job] });
  }
}

const isLink = (value, id) => Array.isArray(value) && value[0] === id;

async function post(path, body) {
  return api.fetchApi(path, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });
}

async function cancel(job) {
  await post("/queue", { delete: [job] });
  await post("/interrupt", { prompt_id: job });
}

async function outcome(job, told) {
  for (let asking = 0; ; asking++) {
    const entry = (await (await asked(`/history/${job}`)).json())[job];
    if (entry) return read(entry);
    if (asking % 10 === 5) {
      const { queue_pending: waiting, queue_running: running } = await (await asked("/queue")).json();
      const listed = (queue) => queue.some((item) => item[1] === job);
      told(listed(waiting) ? "Waiting for the run before…" : "Working…");
      if (!listed(waiting) && !listed(running) && !(await (await asked(`/history/${job}`)).json())[job]) {
        throw new Error("Cancelled.");
      }
    }
    await new Promise((done) => setTimeout(done, POLL_MS));
  }
}

function read(entry) {
  for (const [kind, detail] of entry.status.messages) {
    if (kind === "execution_error") throw new Error(detail.exception_message.trim());
    if (kind === "execution_interrupted") throw new Error("Cancelled.");
  }
  const { physics_clip: clip, physics_masks: masks } = entry.outputs[EXTRA] ?? {};
  if (!clip) throw new Error("The graph gave no frame: is a node before this one muted or held?");
  return { clip: clip[0], masks: masks[0] };
}

function nodeErrors(wrong, output) {
  const [id, found] = Object.entries(wrong ?? {})[0] ?? [];
  if (!found) return null;
  const { message, details } = found.errors[0];
  return `${output[id]?._meta?.title ?? found.class_type}: ${message}${details ? `: ${details}` : ""}`;
}

/** The masks of a preview as numbers: {width, height, numbers: Uint8ClampedArray, RGBA of a grey picture}. */
export async function readMasks({ filename, subfolder, type }) {
  const blob = await (await asked(`/view?${new URLSearchParams({ filename, subfolder, type })}`)).blob();
  const picture = await createImageBitmap(blob);
  const canvas = new OffscreenCanvas(picture.width, picture.height);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(picture, 0, 0);
  return context.getImageData(0, 0, picture.width, picture.height);
}
