import { type ChildProcess, spawn } from "node:child_process";
import { constants } from "node:os";
import type { Clock } from "@weft/base/clock";
import { UserError } from "@weft/base/errors";
import { type AppUser, buildLaunch, findExecutable } from "./launch.ts";
import type { Upstream } from "./run-options.ts";

/** The application as a child process: its terminal, its signals and its exit code are those of `weft run`. */
export interface Application {
  /** The exit code, or 128 + the signal's number. Never rejects. */
  readonly exited: Promise<number>;
  kill(signal: NodeJS.Signals): void;
  /** Asks it to end with `signal`, and ends it by force when it has not after `graceMs`. */
  stop(signal: NodeJS.Signals | undefined, graceMs: number): Promise<number>;
}

export interface ApplicationOptions {
  readonly command: readonly string[];
  readonly user: AppUser | undefined;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly setpriv: string | undefined;
  readonly clock: Clock;
}

/**
 * The command with its program as a path.
 *
 * @throws UserError with exit code 127 when there is no such program, as a shell does
 */
export function resolveCommand(command: readonly string[], path: string | undefined): readonly string[] {
  const [program, ...args] = command as [string, ...string[]];
  const file = findExecutable(program, path);
  if (file) return [file, ...args];
  throw new UserError(`${program}: command not found`, {
    hint: "give a path, or a program on the PATH",
    exitCode: 127,
  });
}

/** @param options.command as `resolveCommand` gives it */
export function startApplication(options: ApplicationOptions): Application {
  const [program, ...args] = options.command as [string, ...string[]];
  const file = findExecutable(program, options.env.PATH);
  if (!file) {
    throw new UserError(`${program}: command not found`, {
      hint: "give a path, or a program on the PATH",
      exitCode: 127,
    });
  }
  const launch = buildLaunch([file, ...args], options.user, "SIGTERM", options.setpriv);
  const child = spawn(launch.file, launch.args, {
    ...launch.options,
    stdio: "inherit",
    env: { ...options.env, ...options.user?.env },
  });
  const exited = exitCodeOf(child);
  return {
    exited,
    kill: (signal) => void child.kill(signal),
    async stop(signal, graceMs) {
      if (signal) child.kill(signal);
      const force = options.clock.setTimer(() => child.kill("SIGKILL"), graceMs, { keepAlive: true });
      const code = await exited;
      force.cancel();
      return code;
    },
  };
}

function exitCodeOf(child: ChildProcess): Promise<number> {
  return new Promise((resolve) => {
    child.on("error", (cause: NodeJS.ErrnoException) => resolve(cause.code === "ENOENT" ? 127 : 126));
    child.on("exit", (code, signal) => resolve(code ?? 128 + (signal ? constants.signals[signal] : 0)));
  });
}

/**
 * Tells an application where its upstreams are, in the form Kubernetes gives
 * services: `REVIEWS_SERVICE_HOST`, `REVIEWS_SERVICE_PORT` (the first upstream
 * of that name), and `REVIEWS_PORT_9080_TCP_ADDR`/`_PORT` for each port.
 */
export function upstreamEnvironment(upstreams: readonly Upstream[]): Record<string, string> {
  const env: Record<string, string> = {};
  for (const { host, port, bindAddress, bindPort } of upstreams) {
    const name = host
      .split(".")[0]!
      .toUpperCase()
      .replace(/[^A-Z0-9]/g, "_");
    env[`${name}_SERVICE_HOST`] ??= bindAddress;
    env[`${name}_SERVICE_PORT`] ??= String(bindPort);
    env[`${name}_PORT_${port}_TCP_ADDR`] = bindAddress;
    env[`${name}_PORT_${port}_TCP_PORT`] = String(bindPort);
  }
  return env;
}
