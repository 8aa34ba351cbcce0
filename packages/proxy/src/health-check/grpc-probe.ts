import { HeaderList } from "../layer/header-list.ts";
import type { RequestHead, ResponseHead } from "../layer/message.ts";
import type { PoolContext } from "../layer/pending-connection.ts";
import type { ResponseReceiver } from "../layer/stream.ts";
import type { GrpcProbePlan, ProbeTarget } from "./health-check-plan.ts";
import { addHeaders } from "./http-probe.ts";
import type { Probe, ProbeResult } from "./probe.ts";
import { ProbeClient } from "./probe-client.ts";

const serving = 1;
/** A health response is a few bytes; what is longer is none. */
const maxBytes = 4 * 1024;

/** Asks by `grpc.health.v1.Health/Check`. @see envoy.config.core.v3.HealthCheck.GrpcHealthCheck */
export class GrpcProbe implements Probe, ResponseReceiver {
  readonly #plan: GrpcProbePlan;
  readonly #reusesConnection: boolean;
  readonly #target: ProbeTarget;
  readonly #client: ProbeClient;
  readonly #request: Buffer;
  readonly #onResult: (result: ProbeResult) => void;
  #status = -1;
  #body: Buffer[] = [];
  #bodyBytes = 0;
  #isAsking = false;

  constructor(
    plan: GrpcProbePlan,
    reusesConnection: boolean,
    target: ProbeTarget,
    context: PoolContext,
    onResult: (result: ProbeResult) => void,
  ) {
    this.#plan = plan;
    this.#reusesConnection = reusesConnection;
    this.#target = target;
    this.#client = new ProbeClient("http2", target, context);
    this.#request = encodeHealthRequest(plan.serviceName);
    this.#onResult = onResult;
  }

  check(): void {
    this.#status = -1;
    this.#body = [];
    this.#bodyBytes = 0;
    this.#isAsking = true;
    const head: RequestHead = {
      method: "POST",
      path: "/grpc.health.v1.Health/Check",
      authority: this.#target.hostname,
      scheme: this.#target.tls ? "https" : "http",
      headers: new HeaderList([
        "content-type",
        "application/grpc",
        "te",
        "trailers",
        "user-agent",
        "Envoy/HC",
      ]),
      upgrade: "",
    };
    addHeaders(head, this.#plan.headers);
    this.#client.send(head, this.#request, this);
  }

  cancel(): void {
    this.#isAsking = false;
    this.#client.close();
  }

  onInformational(): void {}
  onRequestWritable(): void {}

  onResponseHead({ status, headers }: ResponseHead, end: boolean): void {
    this.#status = status;
    if (status !== 200) this.#fail();
    else if (end) this.#judge(headers);
  }

  onResponseData(chunk: Buffer, end: boolean): void {
    this.#bodyBytes += chunk.length;
    if (this.#bodyBytes > maxBytes || end) this.#fail();
    else this.#body.push(Buffer.from(chunk));
  }

  onResponseTrailers(trailers: HeaderList): void {
    this.#judge(trailers);
  }

  onResponseReset(): void {
    this.#finish({ kind: "failed", cause: "network", isRetriable: false, isImmediate: false }, true);
  }

  #judge(trailers: HeaderList): void {
    const isServing =
      this.#status === 200 &&
      trailers.get("grpc-status") === "0" &&
      servingStatus(Buffer.concat(this.#body)) === serving;
    if (isServing) this.#finish({ kind: "healthy", isDegraded: false }, !this.#reusesConnection);
    else this.#fail();
  }

  #fail(): void {
    this.#finish({ kind: "failed", cause: "active", isRetriable: false, isImmediate: false }, true);
  }

  #finish(result: ProbeResult, closes: boolean): void {
    if (!this.#isAsking) return;
    this.#isAsking = false;
    if (closes) this.#client.close();
    this.#onResult(result);
  }
}

/** A `grpc.health.v1.HealthCheckRequest` in its gRPC frame; an empty name asks for the whole server. */
function encodeHealthRequest(serviceName: string): Buffer {
  const name = Buffer.from(serviceName, "utf8");
  const message =
    name.length === 0 ? name : Buffer.concat([Buffer.from([0x0a, ...varint(name.length)]), name]);
  const frame = Buffer.alloc(5);
  frame.writeUInt32BE(message.length, 1);
  return Buffer.concat([frame, message]);
}

function varint(value: number): number[] {
  return value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...varint(value >>> 7)];
}

/** The status in a framed `grpc.health.v1.HealthCheckResponse`; undefined when it is not one. */
export function servingStatus(frame: Buffer): number | undefined {
  if (frame.length < 5 || frame[0] !== 0 || frame.readUInt32BE(1) !== frame.length - 5) return undefined;
  let at = 5;
  const read = () => {
    let value = 0;
    for (let shift = 0; at < frame.length && shift < 35; shift += 7) {
      const byte = frame[at++]!;
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
    return undefined;
  };
  let status = 0;
  while (at < frame.length) {
    const tag = read();
    if (tag === undefined) return undefined;
    const field = tag >>> 3;
    if ((tag & 7) === 0) {
      const value = read();
      if (value === undefined) return undefined;
      if (field === 1) status = value;
    } else if ((tag & 7) === 2) {
      const length = read();
      if (length === undefined) return undefined;
      at += length;
    } else return undefined;
  }
  return at === frame.length ? status : undefined;
}
