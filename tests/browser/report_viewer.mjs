// The report viewer as a user meets it: on the node in both editors, and as a page opened from disk.
//
//   node report_viewer.mjs editor URL WORKFLOW.json SHOTS    runs the workflow in the classic and in the Vue editor
//   node report_viewer.mjs page FILE.html SHOTS              opens the page, light and dark, without a network
//
// Prints one JSON object. SHOTS is a folder for screenshots.

import fs from "node:fs";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { chromium } from "playwright-core";
import { openEditor } from "./editor.mjs";

const NODE = "PP_ValidatePhysics";

/** What a viewer does when it is clicked and typed at: the frame that each step leads to. */
async function use(page, viewer) {
  const chart = viewer.locator(".chart");
  const frame = async () => Number(await chart.getAttribute("aria-valuenow"));
  const steps = { first: await frame() };
  await chart.scrollIntoViewIfNeeded();
  const total = Number(await chart.getAttribute("aria-valuemax")) + 1;
  const plot = await viewer.locator(".chart .plot").first().boundingBox();
  const at = (t) => [plot.x + ((t + 0.5) * plot.width) / total, plot.y + plot.height / 3];
  await page.mouse.click(...at(5));
  steps.click = await frame();
  for (const key of ["ArrowRight", "ArrowLeft", "Shift+ArrowRight", "Shift+ArrowLeft", "End", "Home", "n", "n", "p"]) {
    await page.keyboard.press(key);
    (steps[key] ??= []).push(await frame());
  }
  await page.mouse.move(...at(2));
  await page.mouse.down();
  await page.mouse.move(...at(9), { steps: 3 });
  await page.mouse.up();
  steps.drag = await frame();
  await page.waitForFunction(
    ([shadow, wanted]) => shadow.querySelector(".viewer").dataset.shown === wanted,
    [await viewer.evaluateHandle((host) => host.shadowRoot), String(steps.drag)],
  );
  return {
    steps,
    total,
    // A canvas that nothing was drawn into has one colour.
    drawn: await viewer.locator("canvas").evaluateAll((all) =>
      all.map((canvas) => {
        const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
        return new Set(new Uint32Array(data.buffer)).size > 50;
      }),
    ),
    readout: await viewer.locator(".readout").innerText(),
    verdict: await viewer.locator(".badge").innerText(),
    bands: await viewer.locator(".chart .band .name").allTextContents(),
    rules: await viewer.locator("tbody tr").count(),
    clipped: await viewer.locator(".viewer").evaluate((body) => body.scrollWidth > body.clientWidth),
  };
}

async function inEditor(url, workflow, shots, vue) {
  const palette = vue ? "light" : "dark";
  const editor = await openEditor(url, { vue, palette, workflow, viewport: { width: 1600, height: 1200 } });
  try {
    const run = await editor.run();
    const viewer = editor.page.locator(".physics-preserver-report > div");
    await viewer.locator(".chart").waitFor({ timeout: 30_000 });
    const node = await editor.page.evaluate((type) => window.app.graph.nodes.find((one) => one.type === type).id, NODE);
    await editor.fit([Number(node)]);
    const where = () =>
      editor.page.evaluate(
        (id) => JSON.stringify([...window.app.graph.getNodeById(id).pos, ...window.app.canvas.ds.offset]),
        node,
      );
    const before = await where();
    const seen = await use(editor.page, viewer);
    const pinned = await editor.page.evaluate((id) => Boolean(window.app.graph.getNodeById(id).flags.pinned), node);
    await editor.settle();
    await editor.screenshot(path.join(shots, `report_${vue ? "vue" : "classic"}.png`));
    const stayed = before === (await where()) && !pinned;
    return { ...seen, stayed, again: await afterOtherTab(editor.page, viewer), errors: run.errors, pageErrors: editor.pageErrors };
  } finally {
    await editor.close();
  }
}

/** The verdict that is shown when another workflow's tab was in front meanwhile. */
async function afterOtherTab(page, viewer) {
  const tabs = page.locator(".workflow-tabs-container").getByText("Unsaved Workflow");
  await tabs.first().click();
  await page.waitForFunction((type) => !window.app.graph.nodes.some((node) => node.type === type), NODE);
  await tabs.last().click();
  await viewer.locator(".badge").waitFor({ timeout: 30_000 });
  return viewer.locator(".badge").innerText();
}

async function fromDisk(file, shots, scheme) {
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--host-resolver-rules=MAP * ~NOTFOUND"],
  });
  try {
    const context = await browser.newContext({ viewport: { width: 1200, height: 900 }, colorScheme: scheme, offline: true });
    const page = await context.newPage();
    const said = [];
    const asked = [];
    page.on("console", (message) => said.push(`${message.type()}: ${message.text()}`));
    page.on("pageerror", (error) => said.push(String(error)));
    page.on("dialog", (dialog) => {
      said.push(`dialog: ${dialog.message()}`);
      dialog.dismiss();
    });
    page.on("request", (request) => asked.push(request.url().split(":")[0]));
    await page.goto(pathToFileURL(path.resolve(file)).href);
    const viewer = page.locator("#viewer");
    await viewer.locator(".chart").waitFor({ timeout: 30_000 });
    const seen = await use(page, viewer);
    await page.screenshot({ path: path.join(shots, `page_${scheme}.png`), fullPage: true });
    const images = await page.locator("img").count();
    return { ...seen, said, asked: [...new Set(asked)].sort(), images, title: await page.title() };
  } finally {
    await browser.close();
  }
}

const [what, ...rest] = process.argv.slice(2);
if (what === "page") {
  const [file, shots] = rest;
  console.log(JSON.stringify({ light: await fromDisk(file, shots, "light"), dark: await fromDisk(file, shots, "dark") }));
} else {
  const [url, file, shots] = rest;
  const workflow = JSON.parse(fs.readFileSync(file, "utf-8"));
  const seen = {};
  for (const vue of [false, true]) seen[vue ? "vue" : "classic"] = await inEditor(url, workflow, shots, vue);
  console.log(JSON.stringify(seen));
}
