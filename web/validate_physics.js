// The report viewer on the Validate Physics node: shown when the node has run, fed from ComfyUI's temporary folder.

import { app } from "../../scripts/app.js";
import { api } from "../../scripts/api.js";
import { showReport } from "./report_viewer.js";

const NODE = "PP_ValidatePhysics";
const OUTPUT = "physics_report"; // what the node's ui holds
const WIDTH = 680;
const VIEWER_HEIGHT = 720; // down to the pictures; the rest scrolls
const EMPTY_HEIGHT = 46;

app.registerExtension({
  name: "physicsPreserver.validatePhysics",
  nodeCreated(node) {
    if (node.comfyClass === NODE) addViewer(node);
  },
  // A workflow that is opened again (another tab was in front) has its outputs already.
  afterConfigureGraph() {
    setTimeout(() => {
      for (const node of app.graph.nodes) if (node.comfyClass === NODE) node.showPhysicsReport?.(app.nodeOutputs?.[node.id]);
    });
  },
});

function addViewer(node) {
  const place = document.createElement("div");
  place.className = "physics-preserver-report";
  // contain: the node's size is the user's choice, not that of what is inside.
  place.style.cssText = `contain: size; overflow: auto; width: 100%; height: 100%; border-radius: 6px; min-height: ${EMPTY_HEIGHT}px;`;
  place.dataset.captureWheel = "true"; // the wheel scrolls here, once the viewer has been clicked
  const empty = document.createElement("p");
  empty.textContent = "The report is shown here when the workflow has run.";
  empty.style.cssText = "margin: 0; padding: 12px; font: 13px system-ui, sans-serif; color: var(--descrip-text, #999);";
  const home = document.createElement("div");
  place.append(empty, home);

  let viewer = null;
  let shown = null;
  const widget = node.addDOMWidget("report", "physics_report", place, {
    serialize: false,
    hideOnZoom: false,
    getMinHeight: () => (viewer ? VIEWER_HEIGHT : EMPTY_HEIGHT),
  });
  widget.serialize = false;

  node.showPhysicsReport = async (output) => {
    const about = output?.[OUTPUT]?.[0];
    if (!about || about.subfolder === shown) return;
    shown = about.subfolder;
    try {
      const data = await read(about, about.filename);
      if (shown !== about.subfolder) return; // a newer run came meanwhile
      viewer?.close();
      viewer = showReport(home, data, (frame) => read(about, `${frame}.json`), theme());
      empty.hidden = true;
      place.style.minHeight = `${VIEWER_HEIGHT}px`;
      const [width, height] = node.computeSize();
      node.setSize([Math.max(node.size[0], width, WIDTH), Math.max(node.size[1], height)]);
      app.graph.setDirtyCanvas(true, true);
    } catch (error) {
      empty.hidden = false;
      empty.textContent = `The report can't be shown: ${error.message}. Run the workflow again.`;
    }
  };
  const executed = node.onExecuted;
  node.onExecuted = function (output) {
    executed?.call(this, output);
    this.showPhysicsReport(output);
  };
  const palette = new MutationObserver(() => viewer?.dress(theme()));
  palette.observe(document.documentElement, { attributeFilter: ["class"] });
  const removed = node.onRemoved;
  node.onRemoved = function () {
    removed?.call(this);
    palette.disconnect();
    viewer?.close();
  };
}

async function read({ subfolder, type }, filename) {
  const answer = await api.fetchApi(`/view?${new URLSearchParams({ filename, subfolder, type })}`);
  if (!answer.ok) throw new Error(`${filename} is not in ComfyUI's ${type} folder any more`);
  return answer.json();
}

const theme = () => (document.documentElement.classList.contains("dark-theme") ? "dark" : "light");
