import type { ConnectionPoolSpec } from "./destination-rule-specs.ts";
import type { Finding } from "./finding.ts";

export function checkConnectionPool(pool: ConnectionPoolSpec | undefined, path: string, find: Finding): void {
  const { tcp, http } = pool ?? {};
  find.duration(`${path}.tcp.connectTimeout`, tcp?.connectTimeout, { minMs: 1 });
  find.duration(`${path}.http.idleTimeout`, http?.idleTimeout);
  const limits = { ...http, maxConnections: tcp?.maxConnections };
  for (const [name, value] of Object.entries(limits)) {
    if (typeof value !== "number") continue;
    const at = name === "maxConnections" ? `${path}.tcp.${name}` : `${path}.http.${name}`;
    find.range(at, value, 0, 2 ** 31 - 1);
  }
  find.duration(`${path}.tcp.idleTimeout`, tcp?.idleTimeout);
  find.duration(`${path}.tcp.maxConnectionDuration`, tcp?.maxConnectionDuration, { minMs: 1 });
  find.duration(`${path}.tcp.tcpKeepalive.time`, tcp?.tcpKeepalive?.time);
  find.duration(`${path}.tcp.tcpKeepalive.interval`, tcp?.tcpKeepalive?.interval);
  if (http?.useClientProtocol && http.h2UpgradePolicy === "UPGRADE") {
    const both = "useClientProtocol and h2UpgradePolicy: UPGRADE exclude each other";
    find.error("W1106", `${path}.http.useClientProtocol`, both, "remove one of them");
  }
  const { http2KeepAlive } = http ?? {};
  for (const field of ["interval", "timeout"] as const) {
    const at = `${path}.http.http2KeepAlive`;
    if (!http2KeepAlive) break;
    if (http2KeepAlive[field] === undefined) {
      find.error("W1104", at, `${at}.${field} is missing`, 'for example "30s"');
    }
    find.duration(`${at}.${field}`, http2KeepAlive[field], { minMs: 1 });
  }
}
