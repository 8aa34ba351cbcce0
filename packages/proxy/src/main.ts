import { workerData } from "node:worker_threads";
import { type Clock, systemClock } from "@weft/base/clock";
import { UserError } from "@weft/base/errors";
import { type LogLevel, logLevels } from "./admin/endpoints.ts";
import { Log } from "./admin/log.ts";
import { LogFile } from "./admin/log-file.ts";
import { type BootstrapPlan, decodeBootstrap } from "./config/bootstrap.ts";
import { type ConfigDocument, parseDocument, readDocument } from "./config/document.ts";
import { mergeDocuments } from "./config/merge-documents.ts";
import { drainStrategies } from "./layer/drain-state.ts";
import type { DrainPlan } from "./listener/listener-set.ts";
import { HotRestart } from "./restart/hot-restart.ts";
import { InheritedSockets, takeInheritance } from "./restart/inherited-sockets.ts";
import { Sidecar } from "./sidecar.ts";
import { isWorkerStart } from "./workers/messages.ts";
import { runWorker } from "./workers/run-worker.ts";
import { WorkerPool } from "./workers/worker-pool.ts";

/** The flags of `weft proxy`. */
export interface ProxyOptions {
  /** An Envoy bootstrap in YAML or JSON. It, or `configYaml`, must be given. */
  readonly configPath?: string;
  /** A bootstrap in place of the file, or merged into it. */
  readonly configYaml?: string;
  /** Who this proxy is, before what the bootstrap says. */
  readonly serviceNode?: string;
  readonly serviceCluster?: string;
  readonly serviceZone?: string;
  /** File that is given the address of the admin endpoint once it answers. */
  readonly adminAddressPath?: string;
  /** File for what it says about itself. Default stderr. */
  readonly logPath?: string;
  /** SIGUSR2 does not start a successor. */
  readonly isHotRestartDisabled?: boolean;
  /** Number of workers, each with an event loop of its own. Default 1. */
  readonly concurrency?: number;
  /** The program that starts further workers, with the arguments that lead it here; needed for more than one. */
  readonly workerProgram?: { readonly entry: string; readonly args: readonly string[] };
  /** Default `info`. */
  readonly logLevel?: string;
  /**
   * How long connections may finish, in seconds: after SIGTERM and at a hot
   * restart (default 5), and when a listener is replaced, removed or drained
   * (default 600, as Envoy's).
   */
  readonly drainTimeS?: number;
  /** How connections of listeners that are removed or drained leave. Default `gradual`. */
  readonly drainStrategy?: string;
  /** File that keeps the configuration received, for a restart while the management server is away. */
  readonly keepConfigPath?: string;
  /** Unix socket on which its agent watches requests. */
  readonly requestsSocketPath?: string;
  /** Read and compile the bootstrap, report, and end. */
  readonly isValidateOnly?: boolean;
  /** Ends the proxy as SIGTERM does. */
  readonly stop?: AbortSignal;
  readonly clock?: Clock;
  readonly writeError?: (text: string) => void;
  readonly version?: string;
}

const defaultDrainTimeS = 5;
/** Envoy's, for what listeners leave behind. */
const defaultListenerDrainTimeS = 600;
const maxConcurrency = 128;

/**
 * Runs the sidecar until it is told to stop; the exit code is 0 after a drain
 * and 1 when the configuration cannot be used, with the reason on stderr.
 *
 * SIGTERM and SIGINT drain and then end it; a second one ends it at once.
 * SIGUSR1 opens the files of access logs anew, after they have been rotated;
 * SIGUSR2 starts this program again and hands the listening sockets over to it.
 */
export async function runProxy(options: ProxyOptions): Promise<number> {
  const writeError = options.writeError ?? ((text) => void process.stderr.write(text));
  try {
    const logFile = options.logPath && !options.isValidateOnly ? new LogFile(options.logPath) : undefined;
    const writeLog = logFile ? (text: string) => logFile.write(text) : writeError;
    const reopenLog = () => logFile?.reopen();
    if (isWorkerStart(workerData)) {
      await runWorker(workerData, options.clock ?? systemClock, writeLog, reopenLog);
      return 0;
    }
    return await run(options, writeLog, reopenLog);
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    writeError(`weft: ${error.message}\n${error.hint ? `  next: ${error.hint}\n` : ""}`);
    return error.exitCode;
  }
}

async function run(
  options: ProxyOptions,
  writeLog: (text: string) => void,
  reopenLog: () => void,
): Promise<number> {
  const { clock = systemClock } = options;
  const log = new Log(checkOptions(options), clock, writeLog);
  const document = readBootstrap(options);
  const bootstrap = decodeBootstrap(document);
  refuseIdle(bootstrap);
  const drainTimeMs = (options.drainTimeS ?? defaultDrainTimeS) * 1000;
  const drain = drainPlan(options);
  const lost = Promise.withResolvers<string>();
  const inheritance = takeInheritance(process.env);
  const workers = createWorkers(options, document, log.level, drain, lost.resolve);
  const sidecar = new Sidecar(
    bootstrap,
    {
      commandLine: commandLine(options, log.level),
      ...(options.adminAddressPath && { adminAddressPath: options.adminAddressPath }),
      drain,
      version: options.version ?? "weft",
      ...(options.keepConfigPath && { keptConfigPath: options.keepConfigPath }),
      ...(options.requestsSocketPath && { requestsSocketPath: options.requestsSocketPath }),
      ...(workers && { workers }),
      ...(inheritance && {
        inherited: new InheritedSockets(inheritance.sockets),
        epoch: inheritance.epoch,
      }),
    },
    log,
    clock,
  );
  if (options.isValidateOnly) {
    await sidecar.close();
    log.info(`configuration '${document.file}' OK`);
    return 0;
  }
  const stopping = waitForStop(options.stop);
  const reopen = () => {
    reopenLog();
    sidecar.reopenLogs();
  };
  process.on("SIGUSR1", reopen);
  const restart = new HotRestart({
    sidecar,
    program: options.isHotRestartDisabled ? undefined : options.workerProgram,
    epoch: inheritance?.epoch ?? 0,
    drainTimeMs,
    log,
  });
  try {
    await sidecar.start();
    if (inheritance) restart.succeed();
    const lostReason = await Promise.race([
      stopping.requested,
      sidecar.quitRequested,
      lost.promise,
      restart.handedOver,
    ]);
    if (lostReason !== undefined) {
      log.error(lostReason);
      return 1;
    }
    if (restart.isHandedOver) return 0;
    log.info(`stopping: connections have ${drainTimeMs} ms to finish`);
    await Promise.race([sidecar.drain(drainTimeMs), stopping.repeated]);
    return 0;
  } finally {
    stopping.forget();
    restart.close();
    await sidecar.close();
    // Until the end: without a listener the signal would be Node's, which opens its debugger.
    process.off("SIGUSR1", reopen);
  }
}

/** The bootstrap with what the command line says about it. */
function readBootstrap(options: ProxyOptions): ConfigDocument {
  const { configPath, configYaml, serviceNode, serviceCluster, serviceZone } = options;
  const inline = configYaml === undefined ? undefined : parseDocument("--config-yaml", configYaml);
  if (configPath === undefined && !inline) {
    throw new UserError("there is no bootstrap", { hint: "give one with -c FILE or --config-yaml TEXT" });
  }
  let document = configPath === undefined ? inline! : readDocument(configPath);
  if (configPath !== undefined && inline) document = mergeDocuments(document, inline);
  if (serviceNode === undefined && serviceCluster === undefined && serviceZone === undefined) return document;
  const locality = serviceZone === undefined ? undefined : { zone: serviceZone };
  const node = { id: serviceNode, cluster: serviceCluster, locality };
  return mergeDocuments(document, parseDocument("--service-…", JSON.stringify({ node })));
}

/** For `/server_info`, by Envoy's names. @see envoy.admin.v3.CommandLineOptions */
function commandLine(options: ProxyOptions, logLevel: LogLevel): Readonly<Record<string, unknown>> {
  const { drainTimeS, drainStrategy = "gradual" } = options;
  return {
    config_path: options.configPath,
    config_yaml: options.configYaml,
    service_node: options.serviceNode,
    service_cluster: options.serviceCluster,
    service_zone: options.serviceZone,
    log_path: options.logPath,
    log_level: logLevel,
    admin_address_path: options.adminAddressPath,
    mode: "Serve",
    drain_time: `${drainTimeS ?? defaultListenerDrainTimeS}s`,
    drain_strategy: drainStrategy === "gradual" ? "Gradual" : "Immediate",
    disable_hot_restart: options.isHotRestartDisabled ?? false,
  };
}

function createWorkers(
  { concurrency = 1, workerProgram, requestsSocketPath }: ProxyOptions,
  { file, text }: ConfigDocument,
  logLevel: LogLevel,
  drain: DrainPlan,
  onLost: (reason: string) => void,
): WorkerPool | undefined {
  if (concurrency <= 1) return undefined;
  if (!workerProgram) throw new Error("more than one worker needs a program to start them with");
  const observesRequests = requestsSocketPath !== undefined;
  return new WorkerPool({
    ...workerProgram,
    concurrency,
    logLevel,
    drain,
    file,
    text,
    observesRequests,
    onLost,
  });
}

/** A sidecar without any of these would have nothing to do, and nothing to be told what to do by. */
function refuseIdle({ admin, ads, lds, message, place }: BootstrapPlan): void {
  if (admin || ads || lds || message.staticResources?.listeners.length) return;
  const problem = "nothing to serve: there is no listener, admin address or ADS server";
  throw new UserError(`${place({ path: "", message: problem, hint: undefined })}${problem}`, {
    hint: "add static_resources.listeners, admin or dynamic_resources",
  });
}

function drainPlan({
  drainTimeS = defaultListenerDrainTimeS,
  drainStrategy = "gradual",
}: ProxyOptions): DrainPlan {
  const strategy = drainStrategies.find((known) => known === drainStrategy);
  if (!strategy) {
    throw new UserError(`--drain-strategy ${drainStrategy}: unknown`, {
      hint: `one of ${drainStrategies.join(", ")}`,
      exitCode: 2,
    });
  }
  return { timeMs: drainTimeS * 1000, strategy };
}

function checkOptions(options: ProxyOptions): LogLevel {
  const { concurrency = 1, logLevel = "info", drainTimeS = 0 } = options;
  if (!Number.isInteger(concurrency) || concurrency < 0 || concurrency > maxConcurrency) {
    throw new UserError(`--concurrency ${concurrency}: is not a number of workers`, {
      hint: `1 to ${maxConcurrency}; more than there are processors gains nothing`,
      exitCode: 2,
    });
  }
  if (!Number.isFinite(drainTimeS) || drainTimeS < 0) {
    throw new UserError(`--drain-time-s ${drainTimeS}: is not a number of seconds`, {
      hint: "0 or more",
      exitCode: 2,
    });
  }
  const level = logLevels.find((known) => known === logLevel);
  if (!level) {
    throw new UserError(`--log-level ${logLevel}: unknown`, {
      hint: `one of ${logLevels.join(", ")}`,
      exitCode: 2,
    });
  }
  return level;
}

interface Stopping {
  /** Resolves with the first SIGTERM or SIGINT, or when the given signal aborts. */
  readonly requested: Promise<void>;
  /** Resolves when it is asked for once more. */
  readonly repeated: Promise<void>;
  forget(): void;
}

function waitForStop(stop: AbortSignal | undefined): Stopping {
  const first = Promise.withResolvers<void>();
  const second = Promise.withResolvers<void>();
  let count = 0;
  const onStop = () => {
    count += 1;
    (count === 1 ? first : second).resolve();
  };
  process.on("SIGTERM", onStop);
  process.on("SIGINT", onStop);
  stop?.addEventListener("abort", onStop);
  if (stop?.aborted) onStop();
  return {
    requested: first.promise,
    repeated: second.promise,
    forget() {
      process.off("SIGTERM", onStop);
      process.off("SIGINT", onStop);
      stop?.removeEventListener("abort", onStop);
    },
  };
}
