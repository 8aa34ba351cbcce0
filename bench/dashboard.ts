/**
 * The dashboard with 300 services and 1,500 edges: how long until the first
 * picture, how much time of its CPU the browser's main thread needs for an update, and what one
 * viewer costs the control plane.
 *
 *   node tools/build.ts && node bench/dashboard.ts [--services 300] [--edges 1500] [--seconds 20] [--json]
 */
import { fork } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { chromium, type Page } from "playwright-core";
import { findProgram } from "../tools/peers.ts";

const { values } = parseArgs({
  options: {
    services: { type: "string", default: "300" },
    edges: { type: "string", default: "1500" },
    seconds: { type: "string", default: "20" },
    json: { type: "boolean", default: false },
  },
});
/** In the browser: keeps the longest task there was, in ms. */
const watchLongTasks = `window.longest = 0;
  new PerformanceObserver((list) => {
    for (const { duration } of list.getEntries()) window.longest = Math.max(window.longest, duration);
  }).observe({ entryTypes: ["longtask"] });`;

const measureMs = Number(values.seconds) * 1000;

const server = fork(join(import.meta.dirname, "dashboard-server.ts"), [values.services, values.edges]);
const ask = async (question: "login" | "cpu"): Promise<string> => {
  server.send(question);
  return String((await once(server, "message"))[0]);
};
await once(server, "message");
const browser = await chromium.launch({ executablePath: findProgram("chromium"), args: ["--no-sandbox"] });
try {
  await serverPercent(); // until its code is warm
  const idlePercent = await serverPercent();
  const page = await browser.newPage({ viewport: { width: 1440, height: 900 } });
  await page.goto(await ask("login"));
  await page.waitForSelector("nav.bar");
  const pages = [];
  for (const hash of ["#/overview", "#/topology"]) pages.push(await measure(page, hash));
  const watchedPercent = await serverPercent();
  const report = {
    services: Number(values.services),
    edges: Number(values.edges),
    pages,
    idlePercent,
    watchedPercent,
  };
  if (values.json) console.log(JSON.stringify(report, undefined, 2));
  else {
    for (const { hash, firstPictureMs, updateMs, longestTaskMs } of pages) {
      console.log(
        `${hash.padEnd(12)} first picture ${firstPictureMs} ms, update ${updateMs} ms of main thread, longest task ${longestTaskMs} ms`,
      );
    }
    console.log(`control plane ${(watchedPercent - idlePercent).toFixed(1)} % of a core for one viewer`);
  }
} finally {
  await browser.close();
  server.disconnect();
}

/** In the browser: when the first of these has been drawn, in ms since the navigation began. */
function firstPicture(selector: string): string {
  return `new Promise((resolve) => {
    const look = () => document.querySelector(${JSON.stringify(selector)})
      ? requestAnimationFrame(() => resolve(performance.now()))
      : requestAnimationFrame(look);
    look();
  })`;
}

async function measure(page: Page, hash: string) {
  const selector = hash.includes("topology") ? "a.node" : "a.service-name";
  await page.goto(`${page.url().replace(/#.*/, "")}${hash}`);
  await page.reload({ waitUntil: "commit" });
  const firstPictureMs = await page.evaluate<number>(firstPicture(selector));
  await page.waitForTimeout(3_000);
  const session = await page.context().newCDPSession(page);
  await session.send("Performance.enable", { timeDomain: "threadTicks" });
  const taskSeconds = async () => {
    const { metrics } = await session.send("Performance.getMetrics");
    return metrics.find(({ name }) => name === "TaskDuration")!.value;
  };
  await page.evaluate(watchLongTasks);
  const before = await taskSeconds();
  await page.waitForTimeout(measureMs);
  const spentMs = ((await taskSeconds()) - before) * 1000;
  const longestTaskMs = await page.evaluate<number>("window.longest");
  return {
    hash,
    firstPictureMs: Math.round(firstPictureMs),
    updateMs: Math.round(spentMs / (measureMs / 2_000)),
    longestTaskMs: Math.round(longestTaskMs),
  };
}

/** What the control plane's process took of a core in the next seconds. */
async function serverPercent(): Promise<number> {
  const before = Number(await ask("cpu"));
  const startMs = performance.now();
  await new Promise((resolve) => setTimeout(resolve, measureMs));
  return ((Number(await ask("cpu")) - before) / (performance.now() - startMs)) * 100;
}
