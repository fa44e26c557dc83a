// The graph editor of a running ComfyUI in Chromium, for the browser tests: opened, filled, looked at, closed.
//
// CHROMIUM names the browser, /usr/bin/chromium by default.

import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { chromium } from "playwright-core";

const START_MS = 120_000;

/**
 * Start Chromium with a profile of its own and open the editor of the server at `url`.
 *
 * @param {string} url the server, such as http://127.0.0.1:8188; no other address can be reached.
 * @param {object} options
 * @param {boolean} options.vue draw nodes with Vue ("Nodes 2.0") instead of on the classic canvas.
 * @param {"dark" | "light"} options.palette
 * @param {{pack: string, name: string}} options.template a workflow template to open.
 * @param {object} options.workflow a workflow in UI format to open; without it or a template the editor's default.
 * @param {{width: number, height: number}} options.viewport
 * @returns {Promise<Editor>}
 */
export async function openEditor(url, { vue = false, palette = "dark", template, workflow, viewport } = {}) {
  const settings = {
    "Comfy.VueNodes.Enabled": vue,
    "Comfy.ColorPalette": palette,
    "Comfy.TutorialCompleted": true, // no template dialog over an empty graph
    "Comfy.Workflow.Persist": false, // no graph of the test before
    "Comfy.Minimap.Visible": false, // it lies over the graph
  };
  const saved = await fetch(`${url}/settings`, { method: "POST", body: JSON.stringify(settings) });
  if (!saved.ok) throw new Error(`${url} keeps no settings: ${saved.status}`);

  const profile = fs.mkdtempSync(path.join(os.tmpdir(), "chromium-"));
  const context = await chromium.launchPersistentContext(profile, {
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    headless: true,
    viewport: viewport ?? { width: 1600, height: 1000 },
    args: [
      ...["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"],
      // Without these Chromium looks for servers of its maker at every start.
      ...["--disable-background-networking", "--disable-component-update", "--disable-sync"],
      `--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE ${new URL(url).hostname}`,
    ],
  });
  const editor = new Editor(url, context, profile);
  try {
    await editor._open(template);
    if (workflow) await editor.load(workflow);
    return editor;
  } catch (error) {
    await editor.close();
    throw error;
  }
}

export class Editor {
  constructor(url, context, profile) {
    this.url = url;
    this.context = context;
    this.profile = profile;
    /** What scripts in the page threw and nobody caught. */
    this.pageErrors = [];
  }

  async _open(template) {
    this.page = this.context.pages()[0] ?? (await this.context.newPage());
    this.page.on("pageerror", (error) => this.pageErrors.push(String(error)));
    const query = template ? `/?template=${template.name}&source=${template.pack}` : "/";
    await this.page.goto(this.url + query, { waitUntil: "domcontentloaded" });
    const shown = template && (await this._json(`/api/workflow_templates/${template.pack}/${template.name}.json`));
    await this.page.waitForFunction(
      (types) =>
        window.app?.vueAppReady &&
        window.app.api.clientId &&
        (!types || String(window.app.graph.nodes.map((node) => node.type).sort()) === types),
      shown && String(shown.nodes.map((node) => node.type).sort()),
      { timeout: START_MS },
    );
    await this.page.keyboard.press("Escape");
  }

  async _json(path) {
    return (await fetch(this.url + path)).json();
  }

  /** Put a workflow in UI format into the editor, and show all of it. */
  async load(workflow) {
    await this.page.evaluate((graph) => window.app.loadGraphData(graph, true, true), workflow);
    await this.page.waitForFunction((count) => window.app.graph.nodes.length === count, workflow.nodes.length);
    await this.fit();
  }

  /** Bring nodes (by id), or the whole graph, into view. */
  async fit(ids) {
    await this.page.evaluate((wanted) => {
      const { app } = window;
      const nodes = wanted ? app.graph.nodes.filter((node) => wanted.includes(Number(node.id))) : app.graph.nodes;
      const boxes = nodes.map((node) => [node.pos[0], node.pos[1] - 30, node.pos[0] + node.size[0], node.pos[1] + node.size[1]]);
      const [left, top] = [0, 1].map((side) => Math.min(...boxes.map((box) => box[side])));
      const [right, bottom] = [2, 3].map((side) => Math.max(...boxes.map((box) => box[side])));
      const { clientWidth: width, clientHeight: height } = app.canvas.canvas;
      const scale = Math.min(1, (width - 200) / (right - left), (height - 140) / (bottom - top));
      app.canvas.ds.scale = scale;
      app.canvas.ds.offset[0] = ((width + 60) / scale - left - right) / 2; // beside the editor's sidebar
      app.canvas.ds.offset[1] = (height / scale - top - bottom) / 2;
      app.canvas.setDirty(true, true);
    }, ids);
    await this.settle();
  }

  /** Wait until what was changed is drawn. */
  async settle(ms = 250) {
    await this.page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));
    await this.page.waitForTimeout(ms);
  }

  /** Press the Run button and wait for the end; what went wrong, and per node type how often it reported progress. */
  async run(limit = 300_000) {
    await this.page.evaluate(() => {
      const seen = { progress: {}, executed: [], errors: [], done: false };
      const { api, graph } = window.app;
      const type = (id) => graph.getNodeById(id)?.type;
      const end = new AbortController();
      const on = (event, then) => api.addEventListener(event, ({ detail }) => then(detail), { signal: end.signal });
      const finish = () => {
        seen.done = true;
        end.abort();
      };
      on("progress", ({ node }) => (seen.progress[type(node)] = (seen.progress[type(node)] ?? 0) + 1));
      on("executing", (node) => node && seen.executed.push(type(node)));
      on("execution_error", ({ exception_message }) => {
        seen.errors.push(exception_message);
        finish();
      });
      on("execution_interrupted", finish);
      on("execution_success", finish);
      window.seenInRun = seen;
    });
    await this.page.getByTestId("queue-button").click();
    await this.page.waitForFunction(() => window.seenInRun.done, null, { timeout: limit });
    return this.page.evaluate(() => window.seenInRun);
  }

  /** Types of the nodes that the editor draws red: unknown, or with an invalid input. */
  async redNodes() {
    return this.page.evaluate(() =>
      window.app.graph.nodes
        .filter((node) => node.has_errors || !(node.type in window.LiteGraph.registered_node_types))
        .map((node) => node.type),
    );
  }

  /** Texts of the dialogs that are open. */
  async dialogs() {
    return this.page.locator('[role="dialog"]:visible').allInnerTexts();
  }

  async screenshot(file) {
    await this.page.screenshot({ path: file });
  }

  async close() {
    await this.context.close();
    fs.rmSync(this.profile, { recursive: true, force: true });
  }
}
