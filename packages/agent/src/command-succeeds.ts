import { type ChildProcess, spawn } from "node:child_process";
import type { ApplicationOptions } from "./application.ts";
import { buildLaunch, findExecutable } from "./launch.ts";

/** What an application runs in, and a command of its probe with it. */
export type AppSurroundings = Pick<ApplicationOptions, "user" | "env" | "setpriv">;

/**
 * Whether a command ends with 0 before `signal` aborts; then it is killed, with
 * all that it started in its process group. It has the application's user,
 * environment and folder, no shell, no terminal, no input, and nobody reads what
 * it writes. Never rejects: a program that is not there does not succeed.
 */
export function commandSucceeds(
  command: readonly string[],
  { user, env, setpriv }: AppSurroundings,
  signal: AbortSignal,
): Promise<boolean> {
  const [program = "", ...args] = command;
  const file = findExecutable(program, env.PATH);
  if (!file || signal.aborted) return Promise.resolve(false);
  const launch = buildLaunch([file, ...args], user, "SIGKILL", setpriv);
  return new Promise((resolve) => {
    const child = spawn(launch.file, launch.args, {
      ...launch.options,
      stdio: "ignore",
      // A group of its own, to be ended as a whole.
      detached: true,
      env: { ...env, ...user?.env },
    });
    const finish = (succeeds: boolean) => {
      signal.removeEventListener("abort", onAbort);
      resolve(succeeds);
    };
    const onAbort = () => {
      killGroup(child);
      finish(false);
    };
    signal.addEventListener("abort", onAbort);
    child.on("error", () => finish(false));
    child.on("exit", (code) => finish(code === 0));
  });
}

function killGroup({ pid }: ChildProcess): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, "SIGKILL");
  } catch {
    // It has ended meanwhile.
  }
}
