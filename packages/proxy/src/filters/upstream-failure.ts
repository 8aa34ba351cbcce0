import type { Cluster } from "../cluster/cluster.ts";
import type { HttpExchange } from "../layer/http-exchange.ts";
import { ResponseFlag } from "../layer/response-flag.ts";
import type { ResetReason } from "../layer/stream.ts";
import type { AttemptFailure } from "./attempt-failure.ts";
import { replyInstead } from "./forwarded-heads.ts";

interface Failure {
  /** Envoy's words, used in bodies; with underscores in details. */
  readonly text: string;
  readonly flag: number;
  readonly status: number;
}

const failures: Readonly<Record<ResetReason, Failure>> = {
  "local-reset": { text: "local reset", flag: ResponseFlag.LocalReset, status: 503 },
  "remote-reset": { text: "remote reset", flag: ResponseFlag.UpstreamRemoteReset, status: 503 },
  "remote-refused": {
    text: "remote refused stream reset",
    flag: ResponseFlag.UpstreamRemoteReset,
    status: 503,
  },
  "connection-failure": {
    text: "remote connection failure",
    flag: ResponseFlag.UpstreamConnectionFailure,
    status: 503,
  },
  "connect-timeout": {
    text: "connection timeout",
    flag: ResponseFlag.UpstreamConnectionFailure,
    status: 503,
  },
  "connection-termination": {
    text: "connection termination",
    flag: ResponseFlag.UpstreamConnectionTermination,
    status: 503,
  },
  overflow: { text: "overflow", flag: ResponseFlag.UpstreamOverflow, status: 503 },
  "protocol-error": { text: "protocol error", flag: ResponseFlag.UpstreamProtocolError, status: 502 },
};

/** What an upstream's failure is called, and its flag. */
export function failureOf(reason: ResetReason): { readonly text: string; readonly flag: number } {
  return failures[reason];
}

/** How an upstream failed before it answered. */
type EarlyFailure = Pick<AttemptFailure, "reason" | "transport" | "isTls">;

/** There was no room for another request. */
export const overflow: EarlyFailure = { reason: "overflow", transport: "", isTls: false };

/** Answers a request whose upstream failed before it answered, and counts that answer. */
export function answerFailure(
  exchange: HttpExchange,
  cluster: Cluster,
  failure: EarlyFailure,
  wasRetried: boolean,
): void {
  const { status, body, details, flag } = failureReply(failure, wasRetried);
  cluster.stats.answers.countExternal(status);
  replyInstead(exchange, status, body, details, flag);
}

/** Answers a request that took too long, or breaks its response off, which then counts twice, as in Envoy. */
export function answerTimeout(
  exchange: HttpExchange,
  cluster: Cluster,
  status: 504 | 204,
  details: string,
): void {
  cluster.stats.answers.countExternal(status);
  const body = status === 504 ? "upstream request timeout" : "";
  replyInstead(exchange, status, body, details, ResponseFlag.UpstreamRequestTimeout);
}

/** Answers a request for which there is no endpoint. */
export function answerUnhealthy(exchange: HttpExchange, cluster: Cluster): void {
  cluster.stats.cxNoneHealthy.value += 1;
  cluster.stats.answers.countExternal(503);
  const flag = ResponseFlag.NoHealthyUpstream;
  replyInstead(exchange, 503, "no healthy upstream", "no_healthy_upstream", flag);
}

/** What a client and the access log are told of an upstream that failed before it answered. */
interface FailureReply {
  readonly status: number;
  readonly body: string;
  readonly details: string;
  readonly flag: number;
}

/** `transport` is told to the client only when TLS reported it: addresses and ports are not its business. */
function failureReply({ reason, transport, isTls }: EarlyFailure, wasRetried: boolean): FailureReply {
  const { text, flag, status } = failures[reason];
  const prefix = "upstream connect error or disconnect/reset before headers. ";
  const label = wasRetried ? "retried and the latest reset reason: " : "reset reason: ";
  const cause = transport === "" || !isTls ? "" : `, transport failure reason: ${transport}`;
  const inner = transport === "" ? text : `${text}|${transport}`;
  return {
    status,
    body: `${prefix}${label}${text}${cause}`,
    details: `upstream_reset_before_response_started{${inner.replaceAll(" ", "_")}}`,
    flag,
  };
}

/** Details and flag of a response that stopped half-way. */
export function interruption(reason: ResetReason): { readonly details: string; readonly flag: number } {
  const { text, flag } = failures[reason];
  return { details: `upstream_reset_after_response_started{${text.replaceAll(" ", "_")}}`, flag };
}
