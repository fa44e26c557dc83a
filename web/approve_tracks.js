// Approve Tracks in the graph editor: says whether the track is approved, and lets the rest of the graph run.

import { app } from "../../scripts/app.js";
import { make } from "./dom.js";
import { addLooks } from "./prompt_style.js";

const NODE = "PP_ApproveTracks";
const ANSWER = "approved"; // the input that keeps the approved fingerprint
const HEIGHT = 122;
const [WIDTH, WITH_PICTURES] = [560, 600];

app.registerExtension({
  name: "physicsPreserver.approveTracks",
  nodeCreated(node) {
    if (node.comfyClass === NODE) addGate(node);
  },
  // A workflow that is opened again (another tab was in front) has its outputs already.
  afterConfigureGraph() {
    setTimeout(() => {
      for (const node of app.graph.nodes) node.showApproval?.(app.nodeOutputs?.[node.id]);
    });
  },
});

function addGate(node) {
  addLooks();
  const answer = node.widgets.find((widget) => widget.name === ANSWER);
  answer.hidden = true; // on the classic canvas
  answer.options.hidden = true; // with Vue nodes

  const mark = make("span", { class: "pp-mark", role: "status" });
  const words = make("span", { class: "pp-soft" });
  const button = (label, click, about = {}) => make("button", { type: "button", click, ...about }, label);
  const approve = button("Approve and go on", () => set(node.approvalAsked.fingerprint, true), { class: "pp-main" });
  const withdraw = button("Withdraw", () => set("", false));
  const row = make("div", { class: "pp-row" }, approve, withdraw);
  const element = make("div", { class: "pp-panel", role: "group", "aria-label": "Approve tracks" }, mark, words, row);
  for (const kind of ["pointerdown", "pointermove", "pointerup", "dblclick"]) {
    element.addEventListener(kind, (event) => event.stopPropagation());
  }
  const widget = node.addDOMWidget("approval", "physics_approval", element, {
    serialize: false,
    hideOnZoom: false,
    getMinHeight: () => HEIGHT,
    getMaxHeight: () => HEIGHT,
  });
  widget.serialize = false;
  node.setSize([Math.max(node.size[0], WIDTH), Math.max(node.size[1], WITH_PICTURES)]);

  const show = () => {
    const asked = node.approvalAsked;
    const always = answer.value === "always";
    const approved = always || Boolean(asked && answer.value === asked.fingerprint);
    mark.dataset.state = approved ? "approved" : "open";
    if (approved) mark.textContent = always ? "Always approved" : "Approved";
    else mark.textContent = asked ? "Waiting for you" : "Nothing to approve yet";
    words.textContent = asked?.words ?? "Run the graph: it stops here and shows the masks.";
    approve.hidden = approved;
    approve.disabled = !asked;
    withdraw.hidden = !answer.value;
  };

  function set(value, goOn) {
    answer.value = value;
    answer.callback?.(value);
    show();
    node.graph?.setDirtyCanvas(true, true);
    if (goOn) goOnFrom(node);
  }

  node.showApproval = (output) => {
    const asked = output?.physics_approval?.[0];
    if (asked) node.approvalAsked = { ...asked, words: (output.text?.[0] ?? "").replace(/^[^:]*: /, "") };
    show();
  };
  const executed = node.onExecuted;
  node.onExecuted = function (output) {
    executed?.call(this, output);
    this.showApproval(output);
  };
  const configured = node.onConfigure;
  node.onConfigure = function (...about) {
    configured?.apply(this, about);
    show();
  };
  show();
}

/** Queue what comes after a node; all of the graph when that leads into or out of a subgraph. */
function goOnFrom(node) {
  const outputs = node.graph === (app.rootGraph ?? app.graph) ? outputsAfter(node) : null;
  return app.queuePrompt(0, 1, outputs?.length ? { queueNodeIds: outputs } : undefined);
}

/** Ids of the output nodes behind a node; null where a subgraph is in between. */
function outputsAfter(start) {
  const [seen, found, waiting] = [new Set([start]), [], [start]];
  while (waiting.length) {
    const node = waiting.pop();
    for (const after of (node.outputs ?? []).flatMap((_, slot) => node.getOutputNodes(slot) ?? [])) {
      if (seen.has(after)) continue;
      if (after.isSubgraphNode?.()) return null;
      seen.add(after);
      waiting.push(after);
      if (after.constructor.nodeData?.output_node) found.push(String(after.id));
    }
  }
  return found;
}
