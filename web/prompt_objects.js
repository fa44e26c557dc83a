// Prompt Objects in the graph editor: the node gets a panel in which prompts are drawn on frames of its clip.

import { app } from "../../scripts/app.js";
import { PromptPanel } from "./prompt_panel.js";

const NODE = "PP_PromptObjects";
const TEXT = "objects"; // the input that keeps what was drawn
const [WIDTH, HEIGHT] = [580, 760];
const PANEL_HEIGHT = 440;
const WATCH_MS = 700;

app.registerExtension({
  name: "physicsPreserver.promptObjects",
  nodeCreated(node) {
    if (node.comfyClass === NODE) addPanel(node);
  },
});

function addPanel(node) {
  const text = node.widgets.find((widget) => widget.name === TEXT);
  text.hidden = true; // on the classic canvas
  text.options.hidden = true; // with Vue nodes
  const panel = new PromptPanel(node, text);
  const widget = node.addDOMWidget("drawing", "physics_prompts", panel.element, {
    serialize: false,
    hideOnZoom: false,
    getMinHeight: () => PANEL_HEIGHT,
  });
  widget.serialize = false;
  node.setSize([Math.max(node.size[0], WIDTH), Math.max(node.size[1], HEIGHT)]);

  // The file of Load Video and the stored text change without a word to this node: the editor's undo, another file.
  const watch = setInterval(() => panel.look(), WATCH_MS);
  const configured = node.onConfigure;
  node.onConfigure = function (...about) {
    configured?.apply(this, about);
    panel.look();
  };
  const removed = node.onRemoved;
  node.onRemoved = function (...about) {
    removed?.apply(this, about);
    clearInterval(watch);
    panel.close();
  };
}
