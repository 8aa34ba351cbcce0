import { mkdirSync } from "node:fs";
import { join } from "node:path";
import axe from "axe-core";
import { type Browser, chromium, type Page } from "playwright-core";
import { findProgram } from "../../tools/peers.ts";

/** Where pictures go; kept by CI. */
export const pictures = join(import.meta.dirname, "..", "..", "artefacts", "dashboard");

export const hasChromium = findProgram("chromium") !== undefined;

export async function startBrowser(): Promise<Browser> {
  mkdirSync(pictures, { recursive: true });
  return chromium.launch({
    executablePath: findProgram("chromium"),
    args: ["--no-sandbox", "--disable-gpu"],
  });
}

/** How a picture is taken. */
export interface Look {
  readonly colours: "light" | "dark";
  readonly width: number;
}

export const looks: readonly Look[] = (["light", "dark"] as const).flatMap((colours) =>
  [1440, 720].map((width) => ({ colours, width })),
);

/** A page that has gone through `login`, with every error of it collected. */
export async function openDashboard(
  browser: Browser,
  login: string,
  { colours, width }: Look,
): Promise<{ readonly page: Page; readonly errors: string[] }> {
  const context = await browser.newContext({
    colorScheme: colours,
    viewport: { width, height: 900 },
    reducedMotion: "reduce",
  });
  const page = await context.newPage();
  const errors: string[] = [];
  page.on("pageerror", (error) => errors.push(error.message));
  page.on("console", (message) => {
    if (message.type() === "error") errors.push(`${message.text()} ${message.location().url}`);
  });
  await page.goto(login);
  await page.waitForSelector("nav.bar");
  return { page, errors };
}

/** What axe finds wrong for readers with a screen reader, a keyboard or weak eyes, one line for each kind. */
export async function barriers(page: Page): Promise<readonly string[]> {
  await page.evaluate(axe.source);
  const { violations } = (await page.evaluate(
    "axe.run(document, { resultTypes: ['violations'] })",
  )) as import("axe-core").AxeResults;
  return violations.map(({ id, help, nodes }) => {
    const [{ target, any }] = nodes as [(typeof nodes)[number]];
    return `${id}: ${help}: ${nodes.length} times, as at ${target.join(" ")} (${any[0]?.message ?? ""})`;
  });
}

export async function picture(page: Page, name: string): Promise<void> {
  await page.screenshot({ path: join(pictures, `${name}.png`), fullPage: true });
}
