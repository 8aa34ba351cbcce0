import { messageOf } from "./errors.ts";

const reasons: Readonly<Record<string, string>> = {
  EACCES: "no permission",
  EADDRINUSE: "the address is in use",
  EADDRNOTAVAIL: "this machine has no such address",
  EAI_AGAIN: "the name cannot be looked up now",
  ECONNREFUSED: "connection refused",
  ECONNRESET: "connection reset",
  EEXIST: "is not a directory",
  EHOSTUNREACH: "no route to the host",
  EISDIR: "is a directory",
  ENETUNREACH: "the network cannot be reached",
  ENOENT: "does not exist",
  ENOSPC: "no space left",
  ENOTDIR: "is not a directory",
  ENOTFOUND: "the name is not known",
  EPERM: "no permission",
  EROFS: "the file system is read-only",
  ETIMEDOUT: "timed out",
};

/**
 * Why the system refused a file or a connection, in words that go behind the
 * path or address: Node's own message repeats that. Anything else keeps its message.
 */
export function reasonOf(thrown: unknown): string {
  const { code } = (thrown ?? {}) as NodeJS.ErrnoException;
  return (code && reasons[code]) || messageOf(thrown);
}
