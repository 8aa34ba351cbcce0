import { spawnSync } from "node:child_process";

/** What the sidecar binds when it hands on an inbound IPv6 connection; `127.0.0.6` needs no such care. */
const source = "::6/128";

/**
 * Gives the loopback interface the address inbound IPv6 connections are handed
 * on from: unlike 127.0.0.6, `::6` can be bound only where an interface has it.
 *
 * Returns what takes it away again (synchronous and idempotent, so that it also
 * works from a process's last handler), or why it could not be given.
 */
export function addPassthroughSource(): { readonly remove: () => void } | string {
  // `replace` also where a killed agent left it.
  const added = ip("replace");
  if (added !== undefined) return added;
  let isRemoved = false;
  return {
    remove() {
      if (isRemoved) return;
      isRemoved = true;
      ip("del");
    },
  };
}

/** Undefined when it worked, otherwise why not. */
function ip(verb: "replace" | "del"): string | undefined {
  const result = spawnSync("ip", ["-6", "address", verb, source, "dev", "lo"], {
    env: { ...process.env, PATH: `${process.env.PATH ?? ""}:/usr/sbin:/sbin` },
    stdio: ["ignore", "ignore", "pipe"],
    encoding: "utf8",
    timeout: 5_000,
  });
  if (result.error) return result.error.message;
  return result.status === 0 ? undefined : result.stderr.trim() || `ip ended with ${result.status}`;
}
