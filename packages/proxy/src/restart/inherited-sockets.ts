import { closeSync } from "node:fs";
import type { BindSocket } from "../listener/listener-set.ts";
import { ListenSocket } from "../net/listen-socket.ts";

/** What a process that takes over is given in its environment. */
export interface Inheritance {
  /** How many processes came before. */
  readonly epoch: number;
  /** Descriptors of listening sockets by their keys. */
  readonly sockets: readonly (readonly [key: string, fd: number])[];
}

const variable = "WEFT_HOT_RESTART";

/** What this process was given, once; undefined when it was started afresh. */
export function takeInheritance(env: NodeJS.ProcessEnv): Inheritance | undefined {
  const text = env[variable];
  if (text === undefined) return undefined;
  delete env[variable];
  return JSON.parse(text) as Inheritance;
}

/** The environment of a process that takes over. */
export function inheritanceVariable(inheritance: Inheritance): NodeJS.ProcessEnv {
  return { [variable]: JSON.stringify(inheritance) };
}

/** The listening sockets of the process before, until they are taken. */
export class InheritedSockets {
  readonly #fds: Map<string, number>;

  constructor(sockets: Inheritance["sockets"]) {
    this.#fds = new Map(sockets);
  }

  /** Takes a socket that was inherited, and binds what was not. */
  readonly bind: BindSocket = (key, address, onConnection) => {
    const fd = this.take(key);
    if (fd === undefined) return ListenSocket.bind(address, onConnection);
    return ListenSocket.adopt(fd, address, onConnection);
  };

  take(key: string): number | undefined {
    const fd = this.#fds.get(key);
    this.#fds.delete(key);
    return fd;
  }

  /** Ends what nobody has taken: those listeners are gone. */
  closeRest(): void {
    for (const fd of this.#fds.values()) closeSync(fd);
    this.#fds.clear();
  }
}
