import { type ChildProcess, spawn } from "node:child_process";
import { closeSync } from "node:fs";
import { inheritanceVariable } from "./inherited-sockets.ts";

/** From the process that takes over: it serves everything its predecessor did. */
export interface SuccessorReady {
  readonly t: "ready";
}

export interface SuccessorOptions {
  /** The program and its arguments, as this process was started. */
  readonly entry: string;
  readonly args: readonly string[];
  readonly epoch: number;
  /** Copies of the listening sockets; they are closed here. */
  readonly sockets: readonly (readonly [key: string, fd: number])[];
}

/** Input, output, errors, and the channel between the two. */
const firstFd = 4;

/**
 * Starts a process that takes over the listening sockets, and resolves with it
 * once it serves. Rejects when it ends before: then nothing has changed.
 */
export async function startSuccessor(options: SuccessorOptions): Promise<ChildProcess> {
  const { entry, args, epoch, sockets } = options;
  const inherited = sockets.map(([key], i) => [key, firstFd + i] as const);
  const child = spawn(process.execPath, [...process.execArgv, entry, ...args], {
    stdio: ["inherit", "inherit", "inherit", "ipc", ...sockets.map(([, fd]) => fd)],
    env: { ...process.env, ...inheritanceVariable({ epoch, sockets: inherited }) },
    serialization: "advanced",
  });
  for (const [, fd] of sockets) closeSync(fd);
  await new Promise<void>((resolve, reject) => {
    child.once("error", reject);
    child.once("exit", (code, signal) => reject(new Error(`it ended (${signal ?? `code ${code}`})`)));
    child.on("message", (message: SuccessorReady) => {
      if (message.t === "ready") resolve();
    });
  });
  return child;
}
