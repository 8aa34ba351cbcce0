import { rmSync } from "node:fs";
import { join } from "node:path";
import { UserError } from "@weft/base/errors";
import { takeDemoLock } from "./demo-lock.ts";
import { renderLiveView } from "./live-table.ts";
import { type Capture, DemoMesh } from "./mesh.ts";
import { findObservers } from "./observe/find-observers.ts";
import { ensurePrerequisites, findEnvoy, hasPython } from "./prerequisites.ts";
import { type DemoReport, formatOutcome, formatSummary, notShownWithoutCapture } from "./report.ts";
import { type DemoStep, steps } from "./steps.ts";
import { TrafficLog, type Visit } from "./traffic-log.ts";
import { applyStep } from "./verify/routing.ts";
import { verifyDemo } from "./verify/verify-demo.ts";

export interface DemoOptions {
  /** Undefined: interception where it works, otherwise local ports, and why is said. */
  readonly capture: Capture | undefined;
  /** Half of the sidecars are Envoy: `true` for the one that is found, or its path. */
  readonly envoy: string | boolean;
  /** Run everything once, verify it from outside, report and end. */
  readonly once: boolean;
  /** Prometheus and Jaeger beside it. */
  readonly observe: boolean;
  readonly output: "text" | "json";
  readonly rate: number;
  /** Seconds between the steps of the live demo. */
  readonly stepSeconds: number;
  readonly runDirectory: string;
}

/** As short as a minute, so that a renewal is seen without waiting for it. */
const certificateMinutes = 1;

/** The whole mesh on this machine. Resolves to the exit code; whatever happens, nothing of it is left running. */
export async function runDemo(options: DemoOptions): Promise<number> {
  const startMs = performance.now();
  const say = (line: string) => void process.stderr.write(`${line}\n`);
  const capture = await chooseCapture(options, say);
  const envoy = options.envoy === false ? undefined : findEnvoy(options.envoy);
  const observers = options.observe ? await findObservers((line) => say(`demo: ${line}`)) : undefined;
  const lock = takeDemoLock();

  const stop = new AbortController();
  const unexpected: string[] = [];
  const mesh = new DemoMesh({
    capture,
    runDirectory: options.runDirectory,
    hasPython: await hasPython(),
    envoy,
    rate: options.rate,
    certificateMinutes,
    observers,
    onUnexpectedExit: (name, code) => {
      unexpected.push(`${name} ended with ${code ?? "a signal"}, see ${mesh.processes.logFile(name)}`);
      say(`demo: ${unexpected.at(-1)}`);
    },
  });
  const interrupt = () => stop.abort(new UserError("interrupted", { exitCode: 130 }));
  process.on("SIGINT", interrupt);
  process.on("SIGTERM", interrupt);
  process.on("SIGHUP", interrupt);
  try {
    await mesh.cleanUp();
    startFresh(options.runDirectory);
    const bootMs = performance.now();
    await bootMesh(mesh, say, stop.signal);
    const readySeconds = (performance.now() - bootMs) / 1000;
    say(`demo: every service answers through the mesh after ${readySeconds.toFixed(1)} s`);
    if (!options.once) {
      await runLive(mesh, options, stop.signal);
      return 0;
    }
    const outcomes = await Promise.race([
      verifyDemo(
        mesh,
        (outcome) => options.output === "text" && process.stdout.write(`${formatOutcome(outcome)}\n`),
      ),
      aborted(stop.signal),
    ]);
    const report: DemoReport = {
      ok: outcomes.every((outcome) => outcome.ok) && unexpected.length === 0,
      capture,
      readySeconds,
      totalSeconds: (performance.now() - startMs) / 1000,
      outcomes: [
        ...outcomes,
        ...unexpected.map((seen) => ({ name: "no process ended by itself", ok: false, seen })),
      ],
      notShown: capture === "none" ? notShownWithoutCapture : [],
    };
    process.stdout.write(
      `${options.output === "json" ? JSON.stringify(report, undefined, 2) : formatSummary(report)}\n`,
    );
    return report.ok ? 0 : 1;
  } catch (error) {
    if (stop.signal.aborted) return options.once ? 130 : 0;
    throw error;
  } finally {
    say("demo: removing everything");
    await mesh.stop();
    lock.release();
    process.off("SIGINT", interrupt);
    process.off("SIGTERM", interrupt);
    process.off("SIGHUP", interrupt);
  }
}

/** What was asked for, or the best this machine can do; what is then missing is said, with the reason. */
async function chooseCapture(options: DemoOptions, say: (line: string) => void): Promise<Capture> {
  if (options.capture === "none") return "none";
  try {
    await ensurePrerequisites({ isVerifying: options.once, say });
    return "nft";
  } catch (error) {
    if (options.capture === "nft" || !(error instanceof UserError)) throw error;
    say(`demo: without interception, because ${error.message}`);
    for (const line of notShownWithoutCapture) say(`demo: not shown: ${line}`);
    return "none";
  }
}

/** State and run directories of an earlier demo go: this one starts from nothing. */
function startFresh(runDirectory: string): void {
  for (const leftover of ["state", "run", "prometheus"])
    rmSync(join(runDirectory, leftover), { recursive: true, force: true });
}

async function bootMesh(mesh: DemoMesh, say: (line: string) => void, signal: AbortSignal): Promise<void> {
  mesh.clearLogs();
  await mesh.createNetwork();
  mesh.startControlPlane();
  await mesh.untilControlPlaneAnswers(20_000);
  await mesh.startObservers(30_000);
  for (const line of whereToLook(mesh)) say(`demo: ${line}`);
  say("demo: the control plane is up; starting the services");
  await mesh.startWorkloads();
  await mesh.untilEveryServiceAnswers(60_000, signal);
}

const liveSteps: readonly DemoStep[] = [
  {
    ...steps.subsets,
    files: [...steps.subsets.files, ...steps.allV1.files],
    title: steps.allV1.title,
    effect: steps.allV1.effect,
  },
  steps.canary,
  steps.half,
  steps.jason,
  steps.delay,
  steps.abort,
  steps.deny,
  steps.calm,
];

/** Shows the live table and applies one step after another; then stays until interrupted. */
async function runLive(mesh: DemoMesh, options: DemoOptions, signal: AbortSignal): Promise<void> {
  const startMs = performance.now();
  const log = new TrafficLog(mesh.processes.logFile("traffic"));
  let visits: readonly Visit[] = [];
  let current: DemoStep | undefined;
  let nextStep = 0;
  while (!signal.aborted) {
    const upSeconds = Math.round((performance.now() - startMs) / 1000);
    const dueStep = liveSteps[nextStep];
    if (dueStep && upSeconds >= (nextStep + 1) * options.stepSeconds) {
      nextStep += 1;
      await applyStep(mesh, dueStep);
      current = dueStep;
      visits = [];
      log.read();
    }
    visits = [...visits, ...log.read()].slice(-options.rate * 10);
    const { rows } = await mesh.api.stats({ by: "version", windowSeconds: 10 });
    const screen = renderLiveView({
      rows,
      visits,
      step: current,
      upSeconds,
      width: process.stdout.columns ?? 120,
    });
    const next = nextStep < liveSteps.length ? [] : whatToTypeNext(mesh);
    const clear = process.stdout.isTTY ? "\u001b[H\u001b[2J" : "";
    process.stdout.write(
      `${clear}${screen}\n${next.map((line) => `${line}\n`).join("")}\n  Ctrl-C removes everything\n`,
    );
    await pause(1_000, signal);
  }
}

/** Where Prometheus and Jaeger show the mesh. */
function whereToLook({ observers }: DemoMesh): readonly string[] {
  if (!observers) return [];
  return [`Prometheus: ${observers.prometheusUrl}`, `Jaeger:     ${observers.jaegerUrl}`];
}

function whatToTypeNext(mesh: DemoMesh): readonly string[] {
  const state = `--state ${mesh.stateDirectory}`;
  const lines = [
    "",
    "  next, in another terminal:",
    `    npx weft stat ${state}`,
    `    npx weft status ${state}`,
    `    npx weft dashboard ${state}`,
  ];
  lines.push(`    npx weft apply ${state} -f ${mesh.stepFile(steps.canary.files[0])}`);
  if (mesh.options.capture === "nft") {
    lines.push(
      "    ip netns exec weft-demo-traffic curl -s -H 'end-user: jason' http://reviews:9080/reviews/0",
    );
  }
  return [...lines, ...whereToLook(mesh).map((line) => `    ${line}`)];
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener("abort", () => {
      clearTimeout(timer);
      resolve();
    });
  });
}

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
}
