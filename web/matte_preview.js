// Takes the last picture of progress off a matte node when its video is there: the classic editor keeps both.

import { app } from "../../scripts/app.js";

const NODES = ["PP_MatteVideo", "PP_MatteVR180Video"];
const PICTURE = "$$canvas-image-preview"; // the editor's widget for pictures of progress

app.registerExtension({
  name: "physics-preserver.MattePreview",
  nodeCreated(node) {
    if (!NODES.includes(node.comfyClass)) return;
    const { onExecuted } = node;
    node.onExecuted = function (output) {
      onExecuted?.call(this, output);
      const at = this.widgets?.findIndex((widget) => widget.name === PICTURE) ?? -1;
      if (at < 0) return;
      const [picture] = this.widgets.splice(at, 1);
      picture.onRemove?.();
      this.imgs = undefined;
      this.setDirtyCanvas(true, true);
    };
  },
});
