import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { UserError } from "@weft/base/errors";
import type { MetricRegistry } from "@weft/base/metric-registry";
import { renderPrometheusText } from "@weft/base/prometheus-text";

export interface HttpEndpointsOptions {
  readonly address: string;
  /** 0 takes a free port. */
  readonly port: number;
  readonly metrics: MetricRegistry;
  /** Undefined when ready, else why not. */
  readonly notReady: () => string | undefined;
}

/** `/metrics`, `/healthz` and `/ready` of the control plane; nothing that changes anything. */
export interface HttpEndpoints {
  readonly port: number;
  close(): Promise<void>;
}

export async function startHttpEndpoints(options: HttpEndpointsOptions): Promise<HttpEndpoints> {
  const server = createServer({ maxHeaderSize: 16 << 10, requestTimeout: 30_000 }, (request, response) => {
    const path = (request.url ?? "/").split("?", 1)[0];
    const isRead = request.method === "GET" || request.method === "HEAD";
    const answer = (status: number, body: string, type = "text/plain; charset=utf-8"): void => {
      response.writeHead(status, { "content-type": type, "content-length": Buffer.byteLength(body) });
      response.end(request.method === "HEAD" ? undefined : body);
    };
    if (!isRead) return answer(405, "only GET\n");
    if (path === "/metrics") {
      return answer(200, renderPrometheusText(options.metrics), "text/plain; version=0.0.4; charset=utf-8");
    }
    if (path === "/healthz") return answer(200, "ok\n");
    if (path === "/ready") {
      const reason = options.notReady();
      return reason === undefined ? answer(200, "ready\n") : answer(503, `${reason}\n`);
    }
    answer(404, "there is /metrics, /healthz and /ready\n");
  });
  server.maxConnections = 512;
  await listen(server, options);
  return {
    port: (server.address() as AddressInfo).port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function listen(server: Server, { address, port }: HttpEndpointsOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) =>
      reject(listenError(error, address, port, "--http-port", "--http-address")),
    );
    server.listen({ host: address, port, exclusive: true }, resolve);
  });
}

/** What a person can do about a listener that does not come up. */
export function listenError(
  error: NodeJS.ErrnoException,
  address: string,
  port: number,
  portFlag: string,
  addressFlag: string,
): UserError {
  const place = `${address}:${port}`;
  switch (error.code) {
    case "EADDRINUSE":
      return new UserError(`${place} is in use`, {
        hint: `stop what listens there ('ss -ltnp' shows it), or choose another with ${portFlag}`,
        cause: error,
      });
    case "EACCES":
      return new UserError(`no permission to listen on ${place}`, {
        hint: `choose a port above 1023 with ${portFlag}, or run as root`,
        cause: error,
      });
    case "EADDRNOTAVAIL":
      return new UserError(`${address} is no address of this machine`, {
        hint: `choose one of 'ip address' with ${addressFlag}`,
        cause: error,
      });
    default:
      return new UserError(`cannot listen on ${place}: ${error.message}`, {
        hint: `see ${portFlag}`,
        cause: error,
      });
  }
}
