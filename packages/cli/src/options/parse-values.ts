import { isIP } from "node:net";
import type { AppPort, AppProtocol, Upstream } from "@weft/agent/run-options";
import { InvalidArgumentError } from "commander";

const unitsMs: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };
const appProtocols: readonly AppProtocol[] = ["http", "http2", "grpc", "tcp", "tls"];

/** `500ms`, `30s`, `5m`, `24h`, `7d` → milliseconds. */
export function parseDurationMs(text: string): number {
  const match = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/.exec(text);
  const ms = match ? Number(match[1]) * unitsMs[match[2]!]! : 0;
  if (ms <= 0 || ms > 10 * 365 * unitsMs.d!)
    throw new InvalidArgumentError("write a time such as 30s, 5m or 24h.");
  return ms;
}

/** 1–65535, or 0 where `canBeAny`: a free port. */
export function parsePort(text: string, canBeAny = false): number {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : -1;
  if (port > 65_535 || port < (canBeAny ? 0 : 1))
    throw new InvalidArgumentError("a port is a number from 1 to 65535.");
  return port;
}

/** `PORT` or `PORT/PATH`. */
export function parseAppMetrics(text: string): { readonly port: number; readonly path: string } {
  const at = text.indexOf("/");
  const path = at < 0 ? "/metrics" : text.slice(at);
  if (!/^\/[\x21-\x7e]*$/.test(path)) throw new InvalidArgumentError("write PORT or PORT/PATH.");
  return { port: parsePort(at < 0 ? text : text.slice(0, at)), path };
}

export function parseCount(text: string): number {
  const count = /^\d{1,9}$/.test(text) ? Number(text) : 0;
  if (count < 1) throw new InvalidArgumentError("write a whole number from 1 on.");
  return count;
}

/** Of a proxy. */
export function parseWorkers(text: string): number {
  const count = parseCount(text);
  if (count > 128) throw new InvalidArgumentError("write a number of workers from 1 to 128.");
  return count;
}

/** Of one metric, as many as a bootstrap may say. */
export function parseSeriesCount(text: string): number {
  const count = parseCount(text);
  if (count > 1_000_000) throw new InvalidArgumentError("write a number from 1 to 1000000.");
  return count;
}

/** At least a second, to the second: shorter, and a series would be gone between two readings. */
export function parseSeriesIdle(text: string): number {
  const ms = parseDurationMs(text);
  if (ms < 1_000) throw new InvalidArgumentError("write a time from 1s on.");
  return ms;
}

/** A revision of the configuration; 0 is before the first. */
export function parseRevision(text: string): number {
  if (!/^\d{1,15}$/.test(text)) throw new InvalidArgumentError("write a revision: a whole number from 0 on.");
  return Number(text);
}

export function parseIp(text: string): string {
  if (isIP(text) === 0) throw new InvalidArgumentError("write an IP address.");
  return text;
}

/** `PORT[:PROTOCOL[:NAME]]`; without a protocol it is `tcp`, which needs no knowledge of the application. */
export function parseAppPort(text: string): AppPort {
  const [port, protocol = "tcp", name, ...rest] = text.split(":");
  if (rest.length > 0) throw new InvalidArgumentError("write PORT[:PROTOCOL[:NAME]], as in 9080:http.");
  if (!(appProtocols as readonly string[]).includes(protocol)) {
    throw new InvalidArgumentError(`protocol "${protocol}" is none of ${appProtocols.join(", ")}.`);
  }
  const number = parsePort(port!);
  return { port: number, protocol: protocol as AppProtocol, name: name ?? `${protocol}-${number}` };
}

/** `APP_PORT=LISTEN_PORT`. */
export function parseInboundPort(text: string): readonly [number, number] {
  const [appPort, listenPort, ...rest] = text.split("=");
  if (listenPort === undefined || rest.length > 0) {
    throw new InvalidArgumentError("write APP_PORT=LISTEN_PORT, as in 9080=19080.");
  }
  return [parsePort(appPort!), parsePort(listenPort)];
}

/** `HOST:PORT=BIND_ADDRESS:BIND_PORT`, or `=BIND_PORT` for 127.0.0.1. */
export function parseUpstream(text: string): Upstream {
  const wrong = new InvalidArgumentError(
    "write HOST:PORT=BIND_ADDRESS:BIND_PORT, as in reviews:9080=127.0.0.1:20000.",
  );
  const [target, bind, ...rest] = text.split("=");
  if (bind === undefined || rest.length > 0) throw wrong;
  const { host, port } = splitHostPort(target!);
  const { host: bindAddress, port: bindPort } = bind.includes(":")
    ? splitHostPort(bind)
    : { host: "127.0.0.1", port: parsePort(bind) };
  if (host === "" || isIP(bindAddress) === 0) throw wrong;
  return { host, port, bindAddress, bindPort };
}

/** `ADDRESS:PORT` to listen on; port 0 takes a free one. */
export function parseListenAddress(text: string): { readonly host: string; readonly port: number } {
  const [, bracketed, plain, port] = /^(?:\[(.+)\]|([^:]+)):(\d+)$/.exec(text) ?? [];
  const host = bracketed ?? plain ?? "";
  if (isIP(host) === 0 || port === undefined) {
    throw new InvalidArgumentError("write ADDRESS:PORT, as in 0.0.0.0:15443.");
  }
  return { host, port: parsePort(port, true) };
}

/** `https://HOST[:PORT]` of a control plane's API. */
export function parseServer(text: string): string {
  const isServer = /^https:\/\/[^/?#@]+\/?$/.test(text) && URL.canParse(text);
  if (!isServer) throw new InvalidArgumentError("write https://HOST:PORT.");
  return text.replace(/\/$/, "");
}

/** An address with `http://` or `https://`. */
export function parseHttpUrl(text: string): string {
  const isUrl = /^https?:\/\/[^/]/.test(text) && URL.canParse(text);
  if (!isUrl) throw new InvalidArgumentError("write for example http://127.0.0.1:16686.");
  return text;
}

/** `KEY=VALUE`. */
export function parseLabel(text: string): readonly [string, string] {
  const equals = text.indexOf("=");
  if (equals < 1) throw new InvalidArgumentError("write KEY=VALUE.");
  return [text.slice(0, equals), text.slice(equals + 1)];
}

/** For options that may be given several times: each value parsed, all kept in order. */
export function collect<T>(
  parse: (text: string) => T,
): (text: string, before: readonly T[] | undefined) => readonly T[] {
  return (text, before) => [...(before ?? []), parse(text)];
}

function splitHostPort(text: string): { readonly host: string; readonly port: number } {
  const colon = text.lastIndexOf(":");
  if (colon < 0) throw new InvalidArgumentError(`"${text}" has no port.`);
  return { host: text.slice(0, colon).replace(/^\[(.*)\]$/, "$1"), port: parsePort(text.slice(colon + 1)) };
}

/** `503`, `5xx` or `400-499`: the first and the last of them. */
export function parseStatusRange(text: string): { readonly min: number; readonly max: number } {
  const one = /^([1-5])xx$/i.exec(text);
  if (one) return { min: Number(one[1]) * 100, max: Number(one[1]) * 100 + 99 };
  const [, min, max = min] = /^([1-5]\d\d)(?:-([1-5]\d\d))?$/.exec(text) ?? [];
  if (min === undefined || Number(max) < Number(min)) {
    throw new InvalidArgumentError("write a status: 503, 5xx or 400-499.");
  }
  return { min: Number(min), max: Number(max) };
}
