// A video with alpha as a browser lays it over a page's colour.
//
//   node vp9_alpha.mjs VIDEO COLOUR SHOT.png

import { pathToFileURL } from "node:url";
import { chromium } from "playwright-core";

const [video, colour, shot] = process.argv.slice(2);
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: ["--no-sandbox", "--allow-file-access-from-files"],
});
try {
  const page = await browser.newPage({ viewport: { width: 320, height: 240 } });
  await page.goto(pathToFileURL(video).href.replace(/[^/]*$/, "page.html"));
  await page.evaluate(
    ([source, behind]) => {
      document.body.style.cssText = `margin: 0; background: ${behind}`;
      document.body.innerHTML = `<video muted src="${source}"></video>`;
    },
    [pathToFileURL(video).href, colour],
  );
  await page.waitForFunction(() => document.querySelector("video").readyState >= 2);
  await page.screenshot({ path: shot });
} finally {
  await browser.close();
}
