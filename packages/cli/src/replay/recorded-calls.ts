import { type LoggedCall, parseAccessLogLine } from "./parse-access-log.ts";

/** Calls that are alike, and how many there were. */
export interface RecordedCalls {
  /** A workload's name, or the address it called from. */
  readonly caller: { readonly name: string } | { readonly address: string };
  readonly method: string;
  readonly url: string;
  readonly headers: readonly string[];
  count: number;
}

/** Calls that differ; more are not told apart any more. */
const maxDistinct = 100_000;

/**
 * Collects calls from the logs of many proxies. A call that both ends have
 * logged is one: its request id tells.
 */
export class CallRecord {
  readonly #calls = new Map<string, RecordedCalls>();
  readonly #ids = new Set<string>();
  /** Lines that are no requests, or of more calls than are told apart. */
  skipped = 0;

  get calls(): readonly RecordedCalls[] {
    return [...this.#calls.values()];
  }

  /** @param of the workload whose proxy wrote the log, where that is known: it is the caller of what goes out */
  add(line: string, of: string | undefined): void {
    if (line.trim() === "") return;
    const call = parseAccessLogLine(line);
    const url = call && urlOf(call);
    if (!call || !url) {
      this.skipped += 1;
      return;
    }
    const isInbound = call.cluster.startsWith("inbound|");
    if (call.requestId !== "") {
      const id = `${call.requestId} ${call.method} ${url}`;
      if (this.#ids.has(id)) return;
      if (this.#ids.size < maxDistinct) this.#ids.add(id);
    }
    const caller = of !== undefined && !isInbound ? { name: of } : { address: hostOf(call.remote) };
    const key = JSON.stringify([caller, call.method, url, call.userAgent]);
    const known = this.#calls.get(key);
    if (known) known.count += 1;
    else if (this.#calls.size === maxDistinct) this.skipped += 1;
    else {
      const headers = call.userAgent === "" ? [] : [`user-agent: ${call.userAgent}`];
      this.#calls.set(key, { caller, method: call.method, url, headers, count: 1 });
    }
  }
}

/** What was asked for; undefined where no port can be told: of the authority, with the port that its cluster or the connection has where it names none. */
export function urlOf({ authority, path, cluster, local }: LoggedCall): string | undefined {
  if (/:\d+$/.test(authority)) return `http://${authority}${path}`;
  const outbound = /^outbound\|(\d+)\|/.exec(cluster)?.[1];
  const port = outbound ?? /:(\d+)$/.exec(local)?.[1];
  return port === undefined ? undefined : `http://${authority}:${port}${path}`;
}

/** The address in `10.0.0.1:80` or `[::1]:80`. */
export function hostOf(address: string): string {
  return address.replace(/:\d+$/, "").replace(/^\[|\]$/g, "");
}
