// Opens a workflow template of this pack in a real ComfyUI as a user would, presses Run, and reports what happened.
//
//   node run_workflow.mjs URL PACK TEMPLATE SCREENSHOT
//
// Prints one JSON object: see the end.

import { openEditor } from "./editor.mjs";

const [url, pack, template, screenshot] = process.argv.slice(2);

const editor = await openEditor(url, { template: { pack, name: template }, viewport: { width: 2600, height: 1200 } });
try {
  const { page } = editor;
  const opened = await page.evaluate(async () => ({
    nodes: window.app.graph.nodes.map((node) => node.type),
    prompt: (await window.app.graphToPrompt()).output,
  }));
  const red = await editor.redNodes();
  const seen = await editor.run();
  await page.waitForTimeout(3000); // the previews load

  const shown = await page.evaluate(() =>
    Object.fromEntries(
      window.app.graph.nodes
        .filter((node) => node.type === "PreviewAny")
        .map((node) => [node.title, String(node.widgets?.find((widget) => widget.value)?.value ?? "")]),
    ),
  );
  const [dialogs, redAfter] = [await editor.dialogs(), await editor.redNodes()];
  await editor.screenshot(screenshot);
  console.log(JSON.stringify({ ...opened, red, ...seen, shown, dialogs, redAfter, pageErrors: editor.pageErrors }));
} finally {
  await editor.close();
}
