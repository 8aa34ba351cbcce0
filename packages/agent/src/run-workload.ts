import { constants } from "node:os";
import { systemClock } from "@weft/base/clock";
import { type AppProbe, watchAppHealth } from "./app-health.ts";
import { appProbe } from "./app-probe.ts";
import { type Application, resolveCommand, startApplication, upstreamEnvironment } from "./application.ts";
import { CleanupStack } from "./cleanup-stack.ts";
import type { AppSurroundings } from "./command-succeeds.ts";
import { chooseEnrolment } from "./enrolment/choose-enrolment.ts";
import { findNft } from "./interception/nft.ts";
import { type AppUser, findExecutable, resolveAppUser } from "./launch.ts";
import { joinMesh, type MeshMember } from "./mesh-member.ts";
import { placeNodePreload } from "./node-preload.ts";
import { sidecarId } from "./ports.ts";
import type { RunOptions } from "./run-options.ts";
import { chooseDataPlane } from "./sidecar/data-plane.ts";
import { listenForStop, StopRequest, type StopSignals } from "./stop-signals.ts";
import { planWorkload, type Surroundings, surroundings, type WorkloadPlan } from "./workload-plan.ts";

export type { RunOptions } from "./run-options.ts";

/** Between leaving the mesh and ending the application: callers hear of it and finish what they began. */
const drainMs = 1_000;
const appGraceMs = 30_000;

/**
 * Runs one workload in the mesh and resolves with the application's exit code
 * (128 + signal number when a signal ended it), with everything cleaned up. A
 * gateway, which has no application, serves until it is told to end: 0.
 *
 * The application starts only when its sidecar has its first configuration and
 * certificate, and leaves the mesh before it is told to end.
 *
 * @throws UserError when the workload cannot start
 */
export async function runWorkload(options: RunOptions): Promise<number> {
  const { clock = systemClock } = options;
  const talk = options.talk ?? ((line: string) => void process.stderr.write(`weft: ${line}\n`));
  const nft = findNft();
  const here = surroundings(nft !== undefined);
  const plan = planWorkload(options, here);
  const dataPlane = chooseDataPlane(options);
  const enrolment = chooseEnrolment(options);
  const { isRoot } = here;
  const user = plan.isGateway ? undefined : resolveAppUser(options.appUser, isRoot);
  const command = plan.isGateway ? undefined : resolveCommand(options.command, process.env.PATH);
  if (command) sayWhatIsNotCaptured(options, plan, here, talk);

  const cleanup = new CleanupStack();
  let app: Application | undefined;
  const signals = listenForStop(options.signal, {
    again: () => app?.kill("SIGKILL"),
    passing: (signal) => app?.kill(signal),
  });
  cleanup.add("signals", () => signals.forget());
  const setpriv = findExecutable("setpriv");
  if (isRoot && plan.capture === "nft") exemptOwnSockets(cleanup);
  try {
    const member = await joinMesh(
      {
        plan,
        dataPlane,
        productVersion: options.productVersion,
        enrolment,
        accessLog: options.accessLog,
        appMetrics: options.appMetrics,
        metrics: options.metrics ?? {},
        exclude: options.exclude,
        nft,
        setpriv,
        isRoot,
        clock,
        talk,
        stop: signals.stop,
        appOwner: user && isRoot ? { uid: user.uid, gid: user.gid } : undefined,
      },
      cleanup,
    );
    signals.stop.throwIfAborted();
    const nodeOptions = nodeOptionsOf(options, plan, user);
    if (!command) return await serveUntilStop(member, signals, clock);
    const env = { ...appEnvironment(plan), ...member.env };
    const around: AppSurroundings = { user: appIds(user, isRoot), env, setpriv };
    app = startApplication({ ...around, command, env: { ...env, ...nodeOptions }, clock });
    return await untilOver(app, member, probeOf(plan, member, around), signals, clock);
  } catch (thrown) {
    if (thrown instanceof StopRequest) return 128 + constants.signals[thrown.signal];
    throw thrown;
  } finally {
    await cleanup.run(talk);
  }
}

/** Until the application ends by itself, or has been ended in good order. */
async function untilOver(
  app: Application,
  member: MeshMember,
  probe: () => AppProbe | undefined,
  signals: StopSignals,
  clock: NonNullable<RunOptions["clock"]>,
): Promise<number> {
  const over = new AbortController();
  const watching = watchAppHealth({
    clock,
    probe,
    onChange: (problem) => member.setHealth(problem),
    signal: AbortSignal.any([over.signal, signals.stop]),
  });
  const stopAsked = new Promise<void>((resolve) => {
    if (signals.stop.aborted) resolve();
    signals.stop.addEventListener("abort", () => resolve(), { once: true });
  });
  await Promise.race([app.exited, stopAsked]);
  over.abort();
  await watching;
  if (!signals.stop.aborted) {
    member.setHealth("the application has ended");
    return app.exited;
  }
  member.setHealth("the application is being stopped");
  await member.drain();
  await Promise.race([app.exited, clock.sleepMs(drainMs)]);
  return app.stop(signalFor(signals.received()), appGraceMs);
}

/** A gateway is ready when its proxy is, and leaves as a workload does: callers hear of it first. */
async function serveUntilStop(
  member: MeshMember,
  { stop }: StopSignals,
  clock: NonNullable<RunOptions["clock"]>,
): Promise<number> {
  member.setHealth(undefined);
  await new Promise<void>((resolve) => stop.addEventListener("abort", () => resolve(), { once: true }));
  member.setHealth("the gateway is being stopped");
  await member.drain();
  await clock.sleepMs(drainMs);
  return 0;
}

/** A member of a group waits for what that says. The same object as long as it says the same. */
function probeOf(
  plan: WorkloadPlan,
  member: MeshMember,
  around: AppSurroundings,
): () => AppProbe | undefined {
  let template = member.template();
  let probe = plan.group === undefined || template ? appProbe(plan, template, around) : undefined;
  return () => {
    const said = member.template();
    if (said === template) return probe;
    template = said;
    probe = appProbe(plan, said, around);
    return probe;
  };
}

/** A terminal's Ctrl-C has reached the application already: it is in the same process group. */
function signalFor(received: NodeJS.Signals | undefined): NodeJS.Signals | undefined {
  return received === "SIGINT" && process.stdin.isTTY ? undefined : (received ?? "SIGTERM");
}

/** The rules know the agent's own sockets by their group, which they get when they are opened. */
function exemptOwnSockets(cleanup: CleanupStack): void {
  const original = process.getegid!();
  process.setegid!(sidecarId);
  cleanup.add("group", () => process.setegid!(original));
}

/** As root the ids are always set: the agent's own group would exempt the application from interception. */
function appIds(user: AppUser | undefined, isRoot: boolean): AppUser | undefined {
  return isRoot ? (user ?? { uid: 0, gid: 0, env: {} }) : undefined;
}

function appEnvironment(plan: WorkloadPlan): NodeJS.ProcessEnv {
  const { WEFT_TOKEN: _token, WEFT_APP_NODE_OPTIONS: _options, ...inherited } = process.env;
  const nodeOptions = nodeOptionsOfUser();
  return {
    ...inherited,
    ...(nodeOptions && { NODE_OPTIONS: nodeOptions }),
    ...(plan.capture === "none" ? upstreamEnvironment(plan.upstreams) : {}),
  };
}

/** What was meant for the application: the launcher keeps it from this process, which has keys in its memory. */
function nodeOptionsOfUser(): string | undefined {
  return process.env.NODE_OPTIONS ?? process.env.WEFT_APP_NODE_OPTIONS;
}

function nodeOptionsOf(
  { nodePreload }: RunOptions,
  { runDir }: WorkloadPlan,
  user: AppUser | undefined,
): NodeJS.ProcessEnv {
  if (nodePreload === undefined) return {};
  const hasOtherUser = user !== undefined && user.uid !== 0;
  return { NODE_OPTIONS: placeNodePreload(nodePreload, runDir, nodeOptionsOfUser(), hasOtherUser) };
}

function sayWhatIsNotCaptured(
  options: RunOptions,
  plan: WorkloadPlan,
  here: Surroundings,
  talk: (line: string) => void,
): void {
  if (plan.capture === "nft") return;
  if (options.proxy === "none") {
    talk(
      "no sidecar: what the application does not call by gRPC's xDS (xds:///HOST:PORT) does not pass the mesh",
    );
    return;
  }
  const why = options.capture === "none" ? "as asked" : reasonAgainstCapture(here);
  const upstreams = plan.upstreams.map(
    ({ host, port, bindAddress, bindPort }) => `${host}:${port} at ${bindAddress}:${bindPort}`,
  );
  const reach =
    upstreams.length > 0 ? upstreams.join(", ") : "no upstream (add --upstream HOST:PORT=IP:PORT)";
  talk(`no interception (${why}): the application reaches ${reach}; other connections do not pass the mesh`);
}

function reasonAgainstCapture(here: Surroundings): string {
  if (!here.isRoot) return "this is not root";
  if (!here.hasNft) return "nft is not installed";
  return "this network namespace is the whole machine's; --capture nft captures all of it";
}
