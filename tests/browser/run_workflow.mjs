// Opens a workflow template of this pack in a real ComfyUI as a user would, presses Run, and reports what happened.
//
//   node run_workflow.mjs URL PACK TEMPLATE SCREENSHOT
//
// Prints one JSON object: see the end. CHROMIUM names the browser, /usr/bin/chromium by default.

import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { chromium } from "playwright-core";

const [url, pack, template, screenshot] = process.argv.slice(2);
const START_MS = 120_000;
const RUN_MS = 300_000;

const profile = fs.mkdtempSync(path.join(os.tmpdir(), "chromium-"));
const browser = await chromium.launchPersistentContext(profile, {
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  headless: true,
  viewport: { width: 2600, height: 1200 },
  // Without these Chromium looks for servers of its maker at every start.
  args: [
    ...["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"],
    ...["--disable-background-networking", "--disable-component-update", "--disable-sync"],
  ],
});

try {
  const page = browser.pages()[0] ?? (await browser.newPage());
  const errors = [];
  page.on("pageerror", (error) => errors.push(String(error)));

  await page.goto(`${url}/?template=${template}&source=${pack}`, { waitUntil: "domcontentloaded" });
  await page.waitForFunction(() => window.app?.graph?.nodes?.some((node) => node.type.startsWith("PP_")), null, {
    timeout: START_MS,
  });

  const opened = await page.evaluate(async () => {
    const nodes = window.app.graph.nodes;
    return {
      nodes: nodes.map((node) => node.type),
      // The frontend draws a node red when its type is unknown or its input is invalid.
      red: nodes.filter((node) => node.has_errors || !(node.type in window.LiteGraph.registered_node_types)).map((node) => node.type),
      prompt: (await window.app.graphToPrompt()).output,
    };
  });

  await page.evaluate(() => {
    window.seen = { progress: {}, errors: [], done: false };
    const api = window.app.api;
    const type = (id) => window.app.graph.getNodeById(id)?.type;
    api.addEventListener("progress", ({ detail }) => {
      const node = type(detail.node);
      window.seen.progress[node] = (window.seen.progress[node] ?? 0) + 1;
    });
    api.addEventListener("execution_error", ({ detail }) => window.seen.errors.push(detail.exception_message));
    api.addEventListener("execution_error", () => (window.seen.done = true));
    api.addEventListener("execution_success", () => (window.seen.done = true));
  });
  await page.keyboard.press("Escape");
  await page.getByTestId("queue-button").click();
  await page.waitForFunction(() => window.seen.done, null, { timeout: RUN_MS });
  await page.waitForTimeout(3000); // the previews load

  const dialogs = await page.locator('[role="dialog"]:visible').allInnerTexts();
  const seen = await page.evaluate(() => window.seen);
  const shown = await page.evaluate(() =>
    Object.fromEntries(
      window.app.graph.nodes
        .filter((node) => node.type === "PreviewAny")
        .map((node) => [node.title, String(node.widgets?.find((widget) => widget.value)?.value ?? "")]),
    ),
  );
  const red = await page.evaluate(() => window.app.graph.nodes.filter((node) => node.has_errors).map((node) => node.type));
  await page.screenshot({ path: screenshot });
  console.log(JSON.stringify({ ...opened, ...seen, shown, dialogs, redAfter: red, pageErrors: errors }));
} finally {
  await browser.close();
  fs.rmSync(profile, { recursive: true, force: true });
}
