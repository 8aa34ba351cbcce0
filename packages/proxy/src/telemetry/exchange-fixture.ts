/** An exchange as filters and access logs see it, for their tests. */
import { clusterWith, endpoint, locality } from "../cluster/cluster-fixture.ts";
import type { BodyStage } from "../layer/body-stage.ts";
import type { DownstreamConnection } from "../layer/downstream-connection.ts";
import type { FilterExchange } from "../layer/filter-exchange.ts";
import { HeaderList } from "../layer/header-list.ts";
import type { RequestHead, ResponseHead } from "../layer/message.ts";
import type { PeerIdentity } from "../net/tls-plan.ts";

export function peerIdentity(options: Partial<PeerIdentity> = {}): PeerIdentity {
  return { uris: [], dnsNames: [], subject: "", fingerprint: "", ...options };
}

export function connection(options: Partial<DownstreamConnection> = {}): DownstreamConnection {
  return {
    id: 7,
    remote: { kind: "ip", host: "10.1.2.3", port: 40_000 },
    local: { kind: "ip", host: "10.0.0.1", port: 9_080 },
    remoteText: "10.1.2.3:40000",
    localText: "10.0.0.1:9080",
    requestedServerName: "",
    alpn: "",
    isTls: false,
    peer: undefined,
    ownUris: [],
    tlsVersion: "",
    tlsCipher: "",
    startMs: 0,
    peerMetadata: undefined,
    terminationDetails: "",
    ...options,
  };
}

export function request(
  headers: Readonly<Record<string, string>> = {},
  options: Partial<Omit<RequestHead, "headers">> = {},
): RequestHead {
  return {
    method: "GET",
    path: "/reviews/1?full=1",
    authority: "reviews:9080",
    scheme: "http",
    upgrade: "",
    ...options,
    headers: new HeaderList(Object.entries(headers).flat()),
  };
}

export function response(status: number, headers: Readonly<Record<string, string>> = {}): ResponseHead {
  return { status, headers: new HeaderList(Object.entries(headers).flat()) };
}

/** What `reply` and `resume` were called with. */
export interface Recorded {
  readonly replies: {
    status: number;
    body: string;
    details: string;
    flags: number;
    grpcStatus: number | undefined;
  }[];
  /** Fields given with replies, flat. */
  readonly fields: string[];
  readonly requestStages: BodyStage[];
  readonly responseStages: BodyStage[];
  resumes: number;
  refreshes: number;
}

export type TestExchange = FilterExchange & { readonly recorded: Recorded };

/** A request to `reviews` answered by 10.0.0.2 with 200 after 12.9 ms, unless `options` say otherwise. */
export function exchange(options: Partial<FilterExchange> = {}): TestExchange {
  const { cluster } = clusterWith([locality([endpoint("10.0.0.2")])], {
    name: "outbound|9080||reviews.default.svc.cluster.local",
  });
  const recorded: Recorded = {
    replies: [],
    fields: [],
    requestStages: [],
    responseStages: [],
    resumes: 0,
    refreshes: 0,
  };
  const made: TestExchange = {
    connection: connection(),
    direction: "outbound",
    plan: undefined,
    request: request(),
    protocol: "HTTP/1.1",
    response: response(200),
    originalPath: "/reviews/1?full=1",
    requestId: "3f1b",
    match: undefined,
    clusterChoice: undefined,
    cluster,
    endpoint: [...cluster.endpoints][0],
    upstreamPeer: undefined,
    upstreamLocal: { kind: "ip", host: "10.0.0.1", port: 50_000 },
    upstreamTransportFailure: "",
    attempts: 1,
    flags: 0,
    details: "via_upstream",
    isLocalReply: false,
    startMs: 1_000,
    startEpochMs: Date.UTC(2026, 0, 2, 3, 4, 5, 678),
    requestCompleteMs: 1_001.5,
    upstreamFirstByteMs: 1_010.2,
    responseStartMs: 1_010.3,
    endMs: 1_012.9,
    bytesReceived: 11,
    bytesSent: 222,
    requestHeaderBytes: 100,
    upstreamConnectionHeaders: undefined,
    filterState: undefined,
    dynamicMetadata: undefined,
    recorded,
    reply(status, body, details, flags = 0, grpcStatus) {
      recorded.replies.push({ status, body, details, flags, grpcStatus });
    },
    replyWith(status, body, details, flags, fields, grpcStatus) {
      recorded.replies.push({ status, body: body.toString(), details, flags, grpcStatus });
      if (fields) recorded.fields.push(...fields);
    },
    resume() {
      recorded.resumes += 1;
    },
    resumeResponse() {
      recorded.resumes += 1;
    },
    hasRequestBody: false,
    isClientWritable: true,
    isServerWritable: true,
    bufferRequest: (_maxBytes, onBody) => onBody([], true),
    addRequestStage: (stage) => void recorded.requestStages.push(stage),
    addResponseStage: (stage) => void recorded.responseStages.push(stage),
    pauseRequestBody() {},
    resumeRequestBody() {},
    pauseResponseBody() {},
    resumeResponseBody() {},
    refreshRoute() {
      recorded.refreshes += 1;
    },
    adoptRoute() {},
    ...options,
  };
  return made;
}
