import { connect } from "node:http2";
import {
  encodeHealthRequest,
  maxHealthBytes,
  serving,
  servingStatus,
} from "@weft/proxy/health-check/grpc-health-messages";

/** The server asked, and a service of it by its full name; empty is the whole server. */
export interface HealthTarget {
  readonly host: string;
  readonly port: number;
  readonly service: string;
}

/**
 * Whether a server answers `grpc.health.v1.Health/Check` with SERVING before
 * `signal` aborts. Over HTTP/2 without TLS, as Kubernetes asks. Never rejects.
 */
export function isServing({ host, port, service }: HealthTarget, signal: AbortSignal): Promise<boolean> {
  return new Promise((resolve) => {
    const session = connect(`http://${host.includes(":") ? `[${host}]` : host}:${port}`);
    const finish = (isGood: boolean) => {
      signal.removeEventListener("abort", onAbort);
      session.destroy();
      resolve(isGood);
    };
    const onAbort = () => finish(false);
    signal.addEventListener("abort", onAbort);
    if (signal.aborted) return onAbort();
    session.on("error", onAbort);
    session.on("close", onAbort);
    const call = session.request({
      ":method": "POST",
      ":path": "/grpc.health.v1.Health/Check",
      "content-type": "application/grpc",
      te: "trailers",
      "user-agent": "weft-probe",
    });
    let httpStatus: number | undefined;
    let grpcStatus: unknown;
    const body: Buffer[] = [];
    let bytes = 0;
    call.on("response", (headers) => {
      httpStatus = headers[":status"];
    });
    call.on("trailers", (trailers) => {
      grpcStatus = trailers["grpc-status"];
    });
    call.on("data", (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes > maxHealthBytes) return onAbort();
      body.push(chunk);
    });
    call.on("error", onAbort);
    call.on("end", () =>
      finish(httpStatus === 200 && grpcStatus === "0" && servingStatus(Buffer.concat(body)) === serving),
    );
    call.end(encodeHealthRequest(service));
  });
}
