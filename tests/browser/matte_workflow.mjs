// Opens a matte workflow in a real ComfyUI, presses Run, and looks at it while it runs and when it is done.
//
//   node matte_workflow.mjs URL classic|vue WORKFLOW.json CLIP SHOTS
//
// CLIP is a file of the server's input; SHOTS the beginning of the screenshots' paths. Prints one JSON object: what
// editor.run tells, the pictures that came while it ran and how many are left, what nodes show, where they lie, and what
// is red.

import fs from "node:fs";
import { openEditor } from "./editor.mjs";
import { layout } from "./layout.mjs";

const [url, mode, file, clip, shots] = process.argv.slice(2);
const workflow = JSON.parse(fs.readFileSync(file, "utf-8"));
workflow.nodes.find((node) => node.type === "LoadVideo").widgets_values[0] = clip;

const editor = await openEditor(url, { workflow, vue: mode === "vue", viewport: { width: 2000, height: 1500 } });
const { page } = editor;
try {
  await editor.settle(1000);
  const red = await editor.redNodes();
  await page.evaluate(() => {
    window.pictures = [];
    window.app.api.addEventListener("b_preview_with_metadata", ({ detail }) => {
      const { nodeId, blob } = detail;
      createImageBitmap(blob).then(({ width, height }) => window.pictures.push({ nodeId, width, height, type: blob.type }));
    });
  });
  const running = editor.run();
  await page.waitForFunction(() => window.pictures.length || window.seenInRun?.done, null, { timeout: 300_000 });
  await editor.screenshot(`${shots}_running.png`);
  const seen = await running;
  await editor.settle(4000); // the preview loads
  await editor.screenshot(`${shots}_done.png`);
  const videos = await page.evaluate(() =>
    [...document.querySelectorAll("video")].map((video) => ({
      src: video.currentSrc || video.src,
      width: video.videoWidth,
      height: video.videoHeight,
      seconds: video.duration,
      error: video.error?.message ?? null,
    })),
  );
  const left = await page.evaluate(() =>
    window.app.graph.nodes.flatMap((node) => (node.type.startsWith("PP_Matte") ? (node.imgs ?? []) : [])).length +
      document.querySelectorAll('img[alt="Live sampling preview"]').length,
  );
  const texts = await page.evaluate(() =>
    window.app.graph.nodes
      .filter((node) => node.type === "PreviewAny")
      .map((node) => String(node.widgets?.find((widget) => widget.value)?.value ?? "")),
  );
  console.log(
    JSON.stringify({
      ...seen,
      red: [...red, ...(await editor.redNodes())],
      pictures: await page.evaluate(() => window.pictures),
      videos,
      left,
      texts,
      ...(await page.evaluate(layout)),
      dialogs: await editor.dialogs(),
      pageErrors: editor.pageErrors,
    }),
  );
} finally {
  await editor.close();
}
