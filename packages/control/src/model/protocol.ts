import type { Workload } from "../registry/workload.ts";

/** What a port speaks. */
export type Protocol = Workload["ports"][number]["protocol"];

const byWord: ReadonlyMap<string, Protocol> = new Map([
  ["http", "http"],
  ["http2", "http2"],
  ["kubernetes.io/h2c", "http2"],
  ["grpc", "grpc"],
  ["grpc-web", "grpc"],
  ["kubernetes.io/ws", "http"],
  ["kubernetes.io/wss", "tls"],
  ["https", "tls"],
  ["tls", "tls"],
  ["tcp", "tcp"],
  ["mongo", "tcp"],
  ["mysql", "tcp"],
  ["redis", "tcp"],
  ["postgres", "tcp"],
]);

/** The protocol a port declares: by `appProtocol`, else by its name (`http-web`). Undefined when it says nothing. */
export function declaredProtocol(port: {
  readonly name?: string;
  readonly appProtocol?: string;
}): Protocol | undefined {
  if (port.appProtocol !== undefined) return byWord.get(port.appProtocol.toLowerCase()) ?? "tcp";
  const name = (port.name ?? "").toLowerCase();
  if (name === "grpc-web" || name.startsWith("grpc-web-")) return "grpc";
  return byWord.get(name.split("-")[0]!);
}

/** The protocol a ServiceEntry's port names. */
export function namedProtocol(protocol: string | undefined): Protocol {
  return byWord.get((protocol ?? "TCP").toLowerCase()) ?? "tcp";
}

/** Whether requests can be seen in it. */
export function isHttp(protocol: Protocol): boolean {
  return protocol === "http" || protocol === "http2" || protocol === "grpc";
}
