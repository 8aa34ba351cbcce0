import { chmodSync, unlinkSync } from "node:fs";
import { type AddressInfo, connect, type Server } from "node:net";
import { UserError } from "@weft/base/errors";
import { reasonOf } from "@weft/base/system-error";

/** A TCP address, or the path of a Unix socket with its permission bits. */
export type ListenAddress =
  | { readonly host: string; readonly port: number }
  | { readonly path: string; readonly mode?: number };

/**
 * Connections that wait to be accepted: when thousands of clients come back at
 * once, those that find no place try again only after seconds. The kernel may
 * allow fewer (`net.core.somaxconn`).
 */
const backlog = 4_096;

/**
 * Binds a server. A Unix socket that a crashed process left behind is replaced;
 * one that somebody answers on is not.
 *
 * @throws UserError that names the address and the next step.
 */
export async function listenOn(server: Server, address: ListenAddress): Promise<{ readonly port: number }> {
  try {
    await bind(server, address);
  } catch (error) {
    if (!("path" in address) || codeOf(error) !== "EADDRINUSE" || (await isAnswered(address.path))) {
      throw refusal(address, error);
    }
    unlinkSync(address.path);
    await bind(server, address);
  }
  if (!("path" in address)) return { port: (server.address() as AddressInfo).port };
  chmodSync(address.path, address.mode ?? 0o600);
  return { port: 0 };
}

function bind(server: Server, address: ListenAddress): Promise<void> {
  return new Promise((resolve, reject) => {
    const done = () => {
      server.off("error", failed);
      resolve();
    };
    const failed = (error: Error) => {
      server.off("listening", done);
      reject(error);
    };
    server.once("listening", done);
    server.once("error", failed);
    const place = "path" in address ? { path: address.path } : { host: address.host, port: address.port };
    server.listen({ ...place, backlog });
  });
}

function isAnswered(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.on("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.on("error", () => resolve(false));
  });
}

function refusal(address: ListenAddress, cause: unknown): UserError {
  const place = "path" in address ? address.path : `${address.host}:${address.port}`;
  const hints: Readonly<Record<string, string>> = {
    EADDRINUSE: "end the process that uses it, or choose another",
    EACCES: "run with the permission to bind it, or choose another",
    EADDRNOTAVAIL: "choose an address of this machine",
  };
  const code = codeOf(cause) ?? "error";
  return new UserError(`cannot listen on ${place}: ${reasonOf(cause)}`, {
    hint: hints[code] ?? "choose another address",
    cause,
  });
}

function codeOf(error: unknown): string | undefined {
  return (error as NodeJS.ErrnoException | undefined)?.code;
}
