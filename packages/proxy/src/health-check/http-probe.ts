import { HeaderList } from "../layer/header-list.ts";
import type { RequestHead, ResponseHead } from "../layer/message.ts";
import type { PoolContext } from "../layer/pending-connection.ts";
import type { ResponseReceiver } from "../layer/stream.ts";
import type { HeaderAddition, HttpProbePlan, ProbeTarget } from "./health-check-plan.ts";
import { matchesPayload } from "./payload-matcher.ts";
import type { Probe, ProbeResult } from "./probe.ts";
import { ProbeClient } from "./probe-client.ts";

const networkFailure: ProbeResult = {
  kind: "failed",
  cause: "network",
  isRetriable: false,
  isImmediate: false,
};

/** Asks an HTTP endpoint. @see envoy.config.core.v3.HealthCheck.HttpHealthCheck */
export class HttpProbe implements Probe, ResponseReceiver {
  readonly #plan: HttpProbePlan;
  readonly #reusesConnection: boolean;
  readonly #target: ProbeTarget;
  readonly #client: ProbeClient;
  readonly #onResult: (result: ProbeResult) => void;
  #head: ResponseHead | undefined;
  #body: Buffer[] = [];
  #bodyBytes = 0;
  #isAsking = false;

  constructor(
    plan: HttpProbePlan,
    reusesConnection: boolean,
    target: ProbeTarget,
    context: PoolContext,
    onResult: (result: ProbeResult) => void,
  ) {
    this.#plan = plan;
    this.#reusesConnection = reusesConnection;
    this.#target = target;
    this.#client = new ProbeClient(plan.protocol, target, context);
    this.#onResult = onResult;
  }

  check(): void {
    const { method, path, body, headers, removedHeaders } = this.#plan;
    this.#head = undefined;
    this.#body = [];
    this.#bodyBytes = 0;
    this.#isAsking = true;
    const head: RequestHead = {
      method,
      path,
      authority: this.#target.hostname,
      scheme: this.#target.tls ? "https" : "http",
      headers: new HeaderList(["user-agent", "Envoy/HC"]),
      upgrade: "",
    };
    if (body) head.headers.append("content-length", String(body.length));
    for (const name of removedHeaders) head.headers.remove(name);
    addHeaders(head, headers);
    this.#client.send(head, body, this);
  }

  cancel(): void {
    this.#isAsking = false;
    this.#client.close();
  }

  onInformational(): void {}
  onRequestWritable(): void {}

  onResponseHead(head: ResponseHead, end: boolean): void {
    this.#head = head;
    if (end) this.#judge();
  }

  onResponseData(chunk: Buffer, end: boolean): void {
    const { receive, bufferLimitBytes } = this.#plan;
    if (receive.length > 0 && this.#bodyBytes < bufferLimitBytes) {
      const kept = Buffer.from(chunk.subarray(0, bufferLimitBytes - this.#bodyBytes));
      this.#body.push(kept);
      this.#bodyBytes += kept.length;
    }
    if (end) this.#judge();
  }

  onResponseTrailers(): void {
    this.#judge();
  }

  onResponseReset(): void {
    this.#finish(networkFailure, true);
  }

  #judge(): void {
    const { status, headers } = this.#head!;
    const plan = this.#plan;
    const isImmediate = headers.has("x-envoy-immediate-health-check-fail");
    const failed = (isRetriable: boolean, excludes: boolean): ProbeResult => ({
      kind: "failed",
      cause: "active",
      isRetriable,
      isImmediate: excludes && isImmediate,
    });
    let result: ProbeResult = { kind: "healthy", isDegraded: headers.has("x-envoy-degraded") };
    if (plan.receive.length > 0 && !matchesPayload(plan.receive, Buffer.concat(this.#body))) {
      result = failed(false, true);
    } else if (!plan.isExpected(status)) result = failed(plan.isRetriable(status), true);
    else if (plan.matchesService) {
      const service = headers.get("x-envoy-upstream-healthchecked-cluster") ?? "";
      if (!plan.matchesService(service)) result = failed(false, false);
    }
    this.#finish(result, !this.#reusesConnection);
  }

  #finish(result: ProbeResult, closes: boolean): void {
    if (!this.#isAsking) return;
    this.#isAsking = false;
    if (closes) this.#client.close();
    this.#onResult(result);
  }
}

/** Puts the configured fields on a check. */
export function addHeaders(head: RequestHead, additions: readonly HeaderAddition[]): void {
  for (const { name, value, action } of additions) {
    const has = head.headers.has(name);
    if (action === "append-or-add" || (action === "add-if-absent" && !has)) head.headers.append(name, value);
    else if (action === "overwrite-or-add" || (action === "overwrite-if-exists" && has)) {
      head.headers.set(name, value);
    }
  }
}
