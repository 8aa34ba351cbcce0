import { HeaderList } from "../layer/header-list.ts";
import type { RequestHead, ResponseHead } from "../layer/message.ts";
import type { PoolContext } from "../layer/pending-connection.ts";
import type { ResponseReceiver } from "../layer/stream.ts";
import { encodeHealthRequest, maxHealthBytes, serving, servingStatus } from "./grpc-health-messages.ts";
import type { GrpcProbePlan, ProbeTarget } from "./health-check-plan.ts";
import { addHeaders } from "./http-probe.ts";
import type { Probe, ProbeResult } from "./probe.ts";
import { ProbeClient } from "./probe-client.ts";

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
    if (this.#bodyBytes > maxHealthBytes || end) this.#fail();
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
