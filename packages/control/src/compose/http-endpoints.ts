import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { MetricRegistry } from "@weft/base/metric-registry";
import { renderPrometheusText } from "@weft/base/prometheus-text";
import { listenOn } from "@weft/xds/grpc/listen-on";
import type { ScrapeTargets } from "../inspect/scrape-targets.ts";

export interface HttpEndpointsOptions {
  readonly address: string;
  /** 0 takes a free port. */
  readonly port: number;
  readonly metrics: MetricRegistry;
  /** Undefined when ready, else why not. */
  readonly notReady: () => string | undefined;
  /** The public keys of JWT-SVIDs, as a JSON Web Key Set. */
  readonly keySet: () => string;
  /** What Prometheus is to scrape, the control plane being at `HOST:PORT`. */
  readonly scrapeTargets: (controlPlane: string) => readonly ScrapeTargets[];
  /** Everything at `/dashboard` and below. */
  readonly dashboard: (request: IncomingMessage, response: ServerResponse) => void;
  /** Everything at `/api/` and below. */
  readonly api: (request: IncomingMessage, response: ServerResponse) => void;
}

/** `/metrics`, `/prometheus/targets`, `/healthz`, `/ready`, `/.well-known/jwks.json`, `/dashboard` and, for its browsers, `/api` of the control plane; nothing that changes anything. */
export interface HttpEndpoints {
  readonly port: number;
  close(): Promise<void>;
}

export async function startHttpEndpoints(options: HttpEndpointsOptions): Promise<HttpEndpoints> {
  const server = createServer({ maxHeaderSize: 16 << 10, requestTimeout: 30_000 }, (request, response) => {
    const path = (request.url ?? "/").split("?", 1)[0]!;
    if (path === "/dashboard" || path.startsWith("/dashboard/")) return options.dashboard(request, response);
    if (path.startsWith("/api/")) return options.api(request, response);
    const isRead = request.method === "GET" || request.method === "HEAD";
    const answer = (status: number, body: string, type = "text/plain; charset=utf-8"): void => {
      response.writeHead(status, { "content-type": type, "content-length": Buffer.byteLength(body) });
      response.end(request.method === "HEAD" ? undefined : body);
    };
    if (!isRead) return answer(405, "only GET\n");
    if (path === "/metrics") {
      return answer(200, renderPrometheusText(options.metrics), "text/plain; version=0.0.4; charset=utf-8");
    }
    if (path === "/.well-known/jwks.json") return answer(200, options.keySet(), "application/json");
    if (path === "/prometheus/targets") {
      const targets = options.scrapeTargets(askedAt(request));
      return answer(200, JSON.stringify(targets), "application/json");
    }
    if (path === "/healthz") return answer(200, "ok\n");
    if (path === "/ready") {
      const reason = options.notReady();
      return reason === undefined ? answer(200, "ready\n") : answer(503, `${reason}\n`);
    }
    answer(
      404,
      "there is /metrics, /prometheus/targets, /healthz, /ready, /.well-known/jwks.json and /dashboard\n",
    );
  });
  server.maxConnections = 512;
  const { port } = await listenOn(server, { host: options.address, port: options.port });
  return {
    port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** Where the caller reaches this server, as it says itself where that is an authority; else the address it came to. */
function askedAt({ headers, socket }: IncomingMessage): string {
  const { host = "" } = headers;
  if (/^(?:[\w.-]{1,253}|\[[\da-fA-F:.]{2,45}\]):\d{1,5}$/.test(host)) return host;
  const { localAddress = "", localPort } = socket;
  return `${localAddress.includes(":") ? `[${localAddress}]` : localAddress}:${localPort}`;
}
