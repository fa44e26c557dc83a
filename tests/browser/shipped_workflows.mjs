// Opens workflows in the graph editor, one after the other, looks at each and takes its picture.
//
//   node shipped_workflows.mjs URL classic|vue SHOTS_FOLDER WORKFLOW.json...
//
// Prints one JSON object: per workflow what is red, which dialogs are open, where nodes and groups lie, and its prompt.

import fs from "node:fs";
import path from "node:path";
import { openEditor } from "./editor.mjs";
import { layout } from "./layout.mjs";

const [url, mode, shots, ...files] = process.argv.slice(2);

const editor = await openEditor(url, { vue: mode === "vue", viewport: { width: 2600, height: 1000 } });
const seen = {};
try {
  const { page } = editor;
  for (const file of files) {
    const name = path.basename(file, ".json");
    await editor.load(JSON.parse(fs.readFileSync(file, "utf-8")));
    await editor.settle(2500); // the notes are rendered, the widgets of packs placed
    const dialogs = await editor.dialogs();
    await page.keyboard.press("Escape");
    await editor.fit();
    await editor.settle(500);
    seen[name] = {
      ...(await page.evaluate(layout)),
      types: await page.evaluate(() => window.app.graph.nodes.map((node) => node.type)),
      prompt: await page.evaluate(async () => (await window.app.graphToPrompt()).output),
      red: await editor.redNodes(),
      dialogs,
    };
    await editor.screenshot(path.join(shots, `${name}_${mode}.png`));
  }
  console.log(JSON.stringify({ seen, pageErrors: editor.pageErrors }));
} finally {
  await editor.close();
}
