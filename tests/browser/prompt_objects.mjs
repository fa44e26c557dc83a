// Draws prompts in a real ComfyUI as a person would, runs the shipped workflow, approves, and reports what happened.
//
//   node prompt_objects.mjs URL PACK TEMPLATE EDITOR SHOTS TRUTH
//
// EDITOR is "classic" or "vue"; SHOTS the beginning of the screenshots' paths; TRUTH JSON: {width, height, rider, board},
// the boxes [x1, y1, x2, y2] of both on frame 0 of the clip. Prints one JSON object.

import { openEditor } from "./editor.mjs";

const [url, pack, template, kind, shots, truth] = process.argv.slice(2);
const { width, height, rider, board } = JSON.parse(truth);
const seen = { url };

const editor = await openEditor(url, {
  template: { pack, name: template },
  vue: kind === "vue",
  palette: kind === "vue" ? "light" : "dark",
  viewport: { width: 2600, height: 1250 },
});
const { page } = editor;
const picture = page.locator(".pp-picture");
const told = () => page.locator(".pp-told").innerText();
const stored = () => page.evaluate(() => node("PP_PromptObjects").widgets.find((widget) => widget.name === "objects").value);
const objects = async () => JSON.parse((await stored()) || '{"objects": []}').objects;
const drawn = () => picture.evaluate((canvas) => canvas.toDataURL().length + canvas.toDataURL().slice(-4000));
const button = (name) => page.getByRole("button", { name, exact: true });

/** Client coordinates of a place in the clip, whatever the graph's zoom. */
async function at(x, y) {
  const box = await picture.boundingBox();
  const scale = Math.min(box.width / width, box.height / height);
  return [box.x + (box.width - width * scale) / 2 + x * scale, box.y + (box.height - height * scale) / 2 + y * scale];
}

async function drag(from, to) {
  await page.mouse.move(...(await at(...from)));
  await page.mouse.down();
  await page.mouse.move(...(await at(...to)), { steps: 5 });
  await page.mouse.up();
}

async function addObject(name) {
  await button("+ Add object").click();
  await page.keyboard.type(name);
  await page.keyboard.press("Enter");
}

const names = () => page.locator(".pp-chip input").evaluateAll((inputs) => inputs.map((input) => input.value));

async function previewed() {
  await button("Preview mask").click();
  await page.waitForFunction(() => !/^(Working|Waiting)/.test(document.querySelector(".pp-told").textContent));
  return told();
}

/** What ran of the graph until it ended, by node type. */
async function ran(press) {
  await page.evaluate(() => {
    const { api } = window.app;
    const end = new AbortController();
    window.ran = { types: [], cached: [], errors: [], done: false };
    const on = (event, then) => api.addEventListener(event, ({ detail }) => then(detail), { signal: end.signal });
    on("executing", (id) => id && window.ran.types.push(window.app.graph.getNodeById(id)?.type ?? id));
    on("execution_error", ({ exception_message }) => window.ran.errors.push(exception_message));
    for (const event of ["execution_error", "execution_success"]) {
      on(event, () => {
        window.ran.done = true;
        end.abort();
      });
    }
  });
  await press();
  await page.waitForFunction(() => window.ran.done, null, { timeout: 120_000 });
  await editor.settle(1000);
  return page.evaluate(() => window.ran);
}

const approval = async () => ({
  mark: await page.locator(".pp-mark").innerText(),
  pictures: await page.evaluate(() => window.app.nodeOutputs[node("PP_ApproveTracks").id]?.images?.length ?? 0),
});

try {
  await page.evaluate(() => (window.node = (type) => window.app.graph.nodes.find((found) => found.type === type)));
  await page.locator(".pp-notice").waitFor({ state: "hidden" });
  await editor.fit();
  await editor.settle(600);
  seen.red = await editor.redNodes();
  seen.prompt = await page.evaluate(async () => (await window.app.graphToPrompt()).output);

  // Points, a box, undo and redo
  const middle = ([x1, y1, x2, y2]) => [(x1 + x2) / 2, (y1 + y2) / 2];
  await addObject("rider");
  await page.mouse.click(...(await at(...middle(rider))));
  await page.keyboard.down("Shift");
  await page.mouse.click(...(await at(width - 20, 20)));
  await page.keyboard.up("Shift");
  await page.mouse.click(...(await at(20, 25)), { button: "right" });
  seen.points = await objects();
  await button("+ Add object").click();
  await page.keyboard.type("boar");
  await button("+ Add object").click(); // ends the writing and is a press all the same
  await page.keyboard.type("rider");
  await page.keyboard.press("Enter");
  seen.names = await names();
  await button("Delete rider 2").click();
  await page.getByRole("textbox", { name: "Name of object 2" }).fill("board");
  await page.keyboard.press("Enter");
  await drag(board.slice(0, 2), board.slice(2));
  seen.box = await objects();
  await page.evaluate(() => (node("PP_PromptObjects").here = true));
  await page.keyboard.press("Control+z");
  seen.undone = await objects();
  await page.keyboard.press("Control+y");
  seen.redone = await objects();
  await editor.settle(400);
  seen.sameNode = await page.evaluate(() => node("PP_PromptObjects").here === true);

  // Keys stay here: with nothing chosen Delete would delete the node, Ctrl+A and Ctrl+V belong to the graph
  const nodes = () => page.evaluate(() => window.app.graph.nodes.length);
  const before = await nodes();
  for (const key of ["Delete", "Control+c", "Control+v", "r", "."]) await page.keyboard.press(key);
  await editor.settle(300);
  seen.keysLeaked = (await nodes()) - before;

  // Move a point, choose it, delete it, and bring it back
  await drag([20, 25], [40, 60]);
  seen.moved = await objects();
  await page.mouse.click(...(await at(40, 60)));
  await page.keyboard.press("Delete");
  seen.deleted = await objects();

  // Frames
  const first = await drawn();
  await page.keyboard.press("ArrowRight");
  await page.keyboard.press("Shift+ArrowRight");
  await page.waitForFunction(() => document.querySelector('.pp-panel input[type="number"]').value === "11");
  await editor.settle(800);
  seen.otherPicture = (await drawn()) !== first;
  const slider = page.getByRole("slider", { name: "Frame" });
  await slider.focus();
  await page.keyboard.press("ArrowRight");
  seen.afterSlider = await page.getByRole("spinbutton", { name: "Frame number" }).inputValue();

  // KJNodes' points in and out, on this frame
  await button("Text").click();
  const area = page.getByRole("textbox", { name: "Points as text" });
  await area.fill('[{"x": 11, "y": 22}, {"x": 33.5, "y": 44}]');
  await button("Add as outside").click();
  seen.pasted = await objects();
  await button("Show points outside").click();
  seen.kj = await area.inputValue();
  await area.fill("11, 22");
  await button("Add as inside").click();
  seen.badPaste = await told();
  await button("Undo").click();
  await button("Text").click();

  // The mask before the run
  await page.getByRole("spinbutton", { name: "Frame number" }).fill("0");
  await page.getByRole("spinbutton", { name: "Frame number" }).press("Enter");
  await editor.settle(600);
  const unmasked = await drawn();
  seen.preview = await previewed();
  seen.maskShown = (await drawn()) !== unmasked;
  await editor.settle(300);
  await editor.screenshot(`${shots}_preview.png`);

  // Zoom: the same place of the clip stays under the pointer
  await picture.hover({ position: { x: 100, y: 100 } });
  await page.mouse.wheel(0, -300);
  await editor.settle(600);
  seen.zoomed = (await drawn()) !== unmasked;
  await button("Show the whole picture").click();

  // Save and open again
  const kept = await stored();
  const saved = await page.evaluate(() => JSON.parse(JSON.stringify(window.app.graph.serialize())));
  await editor.load(saved);
  await page.locator(".pp-notice").waitFor({ state: "hidden" });
  seen.keptBySaving = (await stored()) === kept;
  seen.namesAfterLoading = await names();

  // Run: held; approve: only what is behind runs; the same again: approved; other prompts: held
  const run = () => page.getByTestId("queue-button").click();
  seen.held = { ...(await ran(run)), ...(await approval()) };
  await editor.fit();
  await editor.screenshot(`${shots}_held.png`);
  seen.wentOn = { ...(await ran(() => button("Approve and go on").click())), ...(await approval()) };
  await editor.screenshot(`${shots}_approved.png`);
  seen.again = { ...(await ran(run)), ...(await approval()) };
  const [x1, y1, x2, y2] = rider;
  await page.locator(".pp-pick").first().click();
  await drag([x1, y1], [x2, y2]);
  seen.changed = { ...(await ran(run)), ...(await approval()) };
  seen.dialogs = await editor.dialogs();
  seen.redAfter = await editor.redNodes();

  // A script that isn't a person is told why nothing came out
  seen.toldScript = await page.evaluate(async () => {
    const { output } = await window.app.graphToPrompt();
    const id = String(node("PP_ApproveTracks").id);
    output[id].inputs.frames = 2;
    const socket = new WebSocket(`${location.origin.replace("http", "ws")}/ws?clientId=script`);
    await new Promise((open) => (socket.onopen = open));
    const end = new Promise((done) => {
      socket.onmessage = ({ data }) => {
        const { type, data: detail } = typeof data === "string" ? JSON.parse(data) : {};
        if (type === "execution_error") done(detail.exception_message);
        if (type === "execution_success") done("nothing was said");
      };
    });
    await fetch("/prompt", { method: "POST", body: JSON.stringify({ prompt: output, client_id: "script" }) });
    return end;
  });

  // A clip that only the graph has: its frames come after a press of the button
  await editor.load({
    ...{ version: 0.4, last_node_id: 3, last_link_id: 2, groups: [], config: {}, extra: {} },
    nodes: [
      {
        ...{ id: 1, type: "LoadVideo", pos: [0, 0], size: [300, 300], widgets_values: ["clip.mp4", "image"] },
        outputs: [{ name: "VIDEO", type: "VIDEO", links: [1] }],
      },
      {
        ...{ id: 2, type: "GetVideoComponents", pos: [340, 0], size: [220, 120] },
        inputs: [{ name: "video", type: "VIDEO", link: 1 }],
        outputs: [{ name: "images", type: "IMAGE", links: [2] }],
      },
      {
        ...{ id: 3, type: "PP_PromptObjects", pos: [620, 0], size: [580, 760] },
        inputs: [{ name: "clip", type: "VIDEO,IMAGE", link: 2 }],
      },
    ],
    links: [
      [1, 1, 0, 2, 0, "VIDEO"],
      [2, 2, 0, 3, 0, "IMAGE"],
    ],
  });
  await button("Load frames").click();
  await page.locator(".pp-notice").waitFor({ state: "hidden" });
  seen.batchFrames = await page.locator(".pp-row .pp-soft").first().innerText();
  await editor.settle(500);
  await editor.screenshot(`${shots}_batch.png`);
  console.log(JSON.stringify({ ...seen, pageErrors: editor.pageErrors }));
} catch (error) {
  await editor.screenshot(`${shots}_failed.png`);
  console.error(JSON.stringify(seen));
  throw error;
} finally {
  await editor.close();
}
