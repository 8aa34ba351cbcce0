import { randomUUID } from "node:crypto";
import { hostname } from "node:os";
import type { MetadataValue } from "../layer/dynamic-metadata.ts";
import { metadataAt } from "../layer/dynamic-metadata.ts";
import type { Exchange } from "../layer/exchange.ts";
import { formatLongResponseFlags, formatResponseFlags } from "../layer/response-flag.ts";
import type { SocketAddress } from "../net/socket-address.ts";
import { addressText, formatAddress } from "../net/socket-address.ts";
import type { PeerIdentity } from "../net/tls-plan.ts";
import { decisionOf, decisionText } from "../observe/reply-decision.ts";
import { activeSpanId, activeTraceId } from "../tracing/active-span.ts";
import { grpcStatusNames } from "./grpc-status-names.ts";
import {
  listBytes,
  requestHeader,
  requestHeadersBytes,
  requestParameter,
  requestPath,
  responseHeader,
  responseHeadersBytes,
  trailer,
} from "./header-operators.ts";
import { compileTimeFormat } from "./start-time.ts";

/** What a command operator says of an exchange: undefined where Envoy prints `-` or null. */
export type Operator = (exchange: Exchange) => string | number | JsonText | undefined;

/** A value that is an object: JSON in a text format, a nested object in a JSON format. */
export class JsonText {
  readonly json: string;

  constructor(value: MetadataValue) {
    this.json = JSON.stringify(value);
  }

  static ofMap(fields: ReadonlyMap<string, MetadataValue>): JsonText {
    const sorted = [...fields].sort(([a], [b]) => (a < b ? -1 : 1));
    return new JsonText(Object.fromEntries(sorted));
  }

  toString(): string {
    return this.json;
  }
}

/** Makes an operator from its argument; throws a SyntaxError for one it cannot use. */
type OperatorFactory = (argument: string | undefined, name: string) => Operator;

/**
 * Resolves a command operator by name.
 *
 * @throws SyntaxError for a name that is not implemented.
 */
export function createOperator(name: string, argument: string | undefined): Operator {
  const factory = operators[name];
  if (!factory) {
    const near = mostAlike(name);
    throw new SyntaxError(`unknown command operator %${name}%${near ? `; did you mean %${near}%?` : ""}`);
  }
  return factory(argument, name);
}

/** The known name with the longest common beginning, when that is at least half of it. */
function mostAlike(name: string): string | undefined {
  let best: string | undefined;
  let bestLength = 0;
  for (const known of Object.keys(operators)) {
    let length = 0;
    while (length < known.length && known[length] === name[length]) length += 1;
    if (length > bestLength && length * 2 >= known.length) {
      best = known;
      bestLength = length;
    }
  }
  return best;
}

function plain(operator: Operator): OperatorFactory {
  return (argument, name) => {
    if (argument !== undefined) throw new SyntaxError(`%${name}% takes no argument, got (${argument})`);
    return operator;
  };
}

function required(argument: string | undefined, name: string): string {
  if (!argument) throw new SyntaxError(`%${name}(…)% needs an argument`);
  return argument;
}

const orNone = (text: string | undefined): string | undefined => (text === "" ? undefined : text);
const joined = (names: readonly string[] | undefined) => orNone(names?.join(","));
const peer = (read: (peer: PeerIdentity) => string | undefined): OperatorFactory =>
  plain(({ connection: { peer: verified, unverifiedPeer } }) => {
    const shown = verified ?? unverifiedPeer;
    return shown && orNone(read(shown));
  });
const upstreamPeer = (read: (peer: PeerIdentity) => string | undefined): OperatorFactory =>
  plain(({ upstreamPeer: identity }) => (identity ? orNone(read(identity)) : undefined));

/** What stands between blanks in a line has none. */
const underscored = (text: string) => (/\s/.test(text) ? text.replace(/\s/g, "_") : text);

const text = (address: SocketAddress | undefined) => address && addressText(address);
const withoutPort = (address: SocketAddress | undefined) =>
  address && (address.kind === "ip" ? address.host : address.path);
const port = (address: SocketAddress | undefined) => (address?.kind === "ip" ? address.port : undefined);

/** The endpoint once there is a connection to it; the one that was only chosen is the upstream host. */
const upstreamRemote = ({ endpoint, upstreamLocal, upstreamRemote: reached }: Exchange) =>
  upstreamLocal && (reached ?? endpoint?.address);
/** The endpoints that the request was sent to, each once. */
const attempted = ({ endpoint, upstreamLocal, attemptedEndpoints }: Exchange) =>
  attemptedEndpoints ?? (upstreamLocal && endpoint ? [endpoint] : []);
const direct = ({ connection }: Exchange) => connection.directRemote ?? connection.remote;
const client = (exchange: Exchange) => exchange.clientAddress ?? exchange.connection.remote;
const clientText = (exchange: Exchange) =>
  exchange.clientAddress ? formatAddress(exchange.clientAddress) : exchange.connection.remoteText;

/** Whole milliseconds between two moments; undefined while either has not come. */
function elapsed(fromMs: number, toMs: number): number | undefined {
  return fromMs > 0 && toMs >= fromMs ? Math.floor(toMs - fromMs) : undefined;
}

const requestDuration: Operator = (e) => elapsed(e.startMs, e.requestCompleteMs);
const responseDuration: Operator = (e) => elapsed(e.startMs, e.upstreamFirstByteMs);
const responseTxDuration: Operator = (e) => elapsed(e.upstreamFirstByteMs, e.endMs);

function grpcStatus(exchange: Exchange): number | undefined {
  const isGrpc = exchange.request?.headers.get("content-type")?.startsWith("application/grpc");
  const status =
    exchange.responseTrailers?.get("grpc-status") ?? exchange.response?.headers.get("grpc-status");
  return isGrpc && status !== undefined && /^\d{1,3}$/.test(status) ? Number(status) : undefined;
}

const grpcStatusOperator: OperatorFactory = (argument = "CAMEL_STRING", name) => {
  if (argument === "NUMBER") return grpcStatus;
  if (argument !== "CAMEL_STRING" && argument !== "SNAKE_STRING") {
    throw new SyntaxError(`%${name}(${argument})%: use CAMEL_STRING, SNAKE_STRING or NUMBER`);
  }
  const names = grpcStatusNames[argument];
  return (exchange) => {
    const status = grpcStatus(exchange);
    return status === undefined ? undefined : (names[status] ?? String(status));
  };
};

const operators: Readonly<Record<string, OperatorFactory>> = {
  REQ: (argument, name) => requestHeader(required(argument, name)),
  RESP: (argument, name) => responseHeader(required(argument, name)),
  TRAILER: (argument, name) => trailer(required(argument, name)),
  PATH: (argument = "", name) => requestPath(argument, name),
  QUERY_PARAM: (argument, name) => requestParameter(required(argument, name)),
  REQUEST_HEADERS_BYTES: plain((e) => requestHeadersBytes(e)),
  RESPONSE_HEADERS_BYTES: plain((e) => responseHeadersBytes(e)),
  RESPONSE_TRAILERS_BYTES: plain((e) => (e.responseTrailers ? listBytes(e.responseTrailers) : 0)),
  UNIQUE_ID: plain(() => randomUUID()),
  TRACE_ID: plain(activeTraceId),
  SPAN_ID: plain(activeSpanId),
  START_TIME: (argument) => {
    const format = compileTimeFormat(argument || undefined);
    return (exchange) => format(exchange.startEpochMs);
  },
  EMIT_TIME: (argument) => {
    const format = compileTimeFormat(argument || undefined);
    return (exchange) => format(exchange.startEpochMs + (exchange.endMs - exchange.startMs));
  },
  DURATION: plain((e) => Math.floor(e.endMs - e.startMs)),
  REQUEST_DURATION: plain(requestDuration),
  RESPONSE_DURATION: plain(responseDuration),
  RESPONSE_TX_DURATION: plain(responseTxDuration),
  PROTOCOL: plain((e) => orNone(e.protocol)),
  RESPONSE_CODE: plain((e) => e.response?.status ?? 0),
  RESPONSE_CODE_DETAILS: plain((e) => orNone(underscored(e.details))),
  CONNECTION_TERMINATION_DETAILS: plain((e) => orNone(e.connection.terminationDetails)),
  DOWNSTREAM_LOCAL_CLOSE_REASON: plain((e) => e.connection.localCloseReason),
  RESPONSE_FLAGS: plain((e) => formatResponseFlags(e.flags, e.logType !== undefined)),
  RESPONSE_FLAGS_LONG: plain((e) => formatLongResponseFlags(e.flags, e.logType !== undefined)),
  BYTES_RECEIVED: plain((e) => e.bytesReceived),
  BYTES_SENT: plain((e) => e.bytesSent),
  ACCESS_LOG_TYPE: plain((e) => e.logType ?? "DownstreamEnd"),
  LOCAL_REPLY_BODY: plain((e) => e.localReplyBody),
  CONNECTION_ID: plain((e) => e.connection.id),
  STREAM_ID: plain((e) => orNone(e.requestId)),
  REQUESTED_SERVER_NAME: plain((e) => orNone(e.connection.requestedServerName)),
  ROUTE_NAME: plain((e) => orNone(e.match?.route.name)),
  HOSTNAME: plain(() => thisHost),
  ENVIRONMENT: (argument, name) => {
    const [variable = "", length] = required(argument, name).split(":");
    const value = orNone(process.env[variable]);
    return () => (length === undefined ? value : value?.slice(0, Number(length)));
  },
  DYNAMIC_METADATA: (argument, name) => {
    const [filter = "", ...keys] = required(argument, name).split(":");
    if (filter === explainNamespace) return explainOperator(keys, name);
    if (keys.length === 0) {
      return ({ dynamicMetadata }) => {
        const values = dynamicMetadata?.get(filter);
        return values && JsonText.ofMap(values);
      };
    }
    return ({ dynamicMetadata }) => {
      const value = metadataAt(dynamicMetadata, filter, keys);
      if (typeof value === "string" || typeof value === "number") return value;
      return value === undefined || value === null ? undefined : new JsonText(value);
    };
  },
  GRPC_STATUS: grpcStatusOperator,
  GRPC_STATUS_NUMBER: plain(grpcStatus),

  UPSTREAM_CLUSTER: plain((e) => e.cluster?.plan.statName),
  UPSTREAM_CLUSTER_RAW: plain((e) => e.cluster?.name),
  UPSTREAM_HOST: plain((e) => e.endpoint?.addressText),
  UPSTREAM_HOST_NAME: plain((e) => orNone(e.endpoint?.plan.hostname) ?? e.endpoint?.addressText),
  UPSTREAM_HOST_NAME_WITHOUT_PORT: plain(
    (e) => orNone(e.endpoint?.plan.hostname) ?? withoutPort(e.endpoint?.address),
  ),
  UPSTREAM_HOSTS_ATTEMPTED: plain((e) => joined(attempted(e).map((one) => one.addressText))),
  UPSTREAM_HOSTS_ATTEMPTED_WITHOUT_PORT: plain((e) =>
    joined(attempted(e).map((one) => withoutPort(one.address)!)),
  ),
  UPSTREAM_REMOTE_ADDRESS: plain((e) => text(upstreamRemote(e))),
  UPSTREAM_REMOTE_ADDRESS_WITHOUT_PORT: plain((e) => withoutPort(upstreamRemote(e))),
  UPSTREAM_REMOTE_PORT: plain((e) => port(upstreamRemote(e))),
  UPSTREAM_LOCAL_ADDRESS: plain((e) => text(e.upstreamLocal)),
  UPSTREAM_LOCAL_ADDRESS_WITHOUT_PORT: plain((e) => withoutPort(e.upstreamLocal)),
  UPSTREAM_LOCAL_PORT: plain((e) => port(e.upstreamLocal)),
  UPSTREAM_REQUEST_ATTEMPT_COUNT: plain((e) => e.attempts),
  UPSTREAM_TRANSPORT_FAILURE_REASON: plain((e) => orNone(underscored(e.upstreamTransportFailure))),
  UPSTREAM_PEER_URI_SAN: upstreamPeer((identity) => joined(identity.uris)),
  UPSTREAM_PEER_DNS_SAN: upstreamPeer((identity) => joined(identity.dnsNames)),
  UPSTREAM_PEER_SUBJECT: upstreamPeer((identity) => identity.subject),
  UPSTREAM_METADATA: (argument, name) => {
    const [filter = "", key = ""] = required(argument, name).split(":");
    return (e) => e.endpoint?.plan.metadata.get(filter)?.get(key);
  },

  DOWNSTREAM_REMOTE_ADDRESS: plain(clientText),
  DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT: plain((e) => withoutPort(client(e))),
  DOWNSTREAM_REMOTE_PORT: plain((e) => port(client(e))),
  DOWNSTREAM_DIRECT_REMOTE_ADDRESS: plain((e) => text(direct(e))),
  DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT: plain((e) => withoutPort(direct(e))),
  DOWNSTREAM_DIRECT_REMOTE_PORT: plain((e) => port(direct(e))),
  DOWNSTREAM_LOCAL_ADDRESS: plain((e) => e.connection.localText),
  DOWNSTREAM_LOCAL_ADDRESS_WITHOUT_PORT: plain((e) => withoutPort(e.connection.local)),
  DOWNSTREAM_LOCAL_PORT: plain((e) => port(e.connection.local)),
  DOWNSTREAM_LOCAL_URI_SAN: plain((e) => (e.connection.isTls ? joined(e.connection.ownUris) : undefined)),
  DOWNSTREAM_PEER_URI_SAN: peer((identity) => joined(identity.uris)),
  DOWNSTREAM_PEER_DNS_SAN: peer((identity) => joined(identity.dnsNames)),
  DOWNSTREAM_PEER_SUBJECT: peer((identity) => identity.subject),
  DOWNSTREAM_PEER_FINGERPRINT_256: peer((identity) => identity.fingerprint),
  DOWNSTREAM_TLS_VERSION: plain((e) => (e.connection.isTls ? orNone(e.connection.tlsVersion) : undefined)),
  DOWNSTREAM_TLS_CIPHER: plain((e) => (e.connection.isTls ? orNone(e.connection.tlsCipher) : undefined)),
};

/** Dynamic metadata that no filter writes: what decided about an answer from here, found when it is asked for. */
const explainNamespace = "weft.explain";

function explainOperator(keys: readonly string[], name: string): Operator {
  const [key = ""] = keys;
  if (keys.length > 1 || !["", "by", "origin", "text"].includes(key)) {
    throw new SyntaxError(`%${name}(${explainNamespace}:${keys.join(":")})%: use by, origin or text`);
  }
  return (exchange) => {
    const decision = decisionOf(exchange);
    if (!decision) return undefined;
    const text = decisionText(exchange, decision);
    if (key === "") return new JsonText({ ...decision, text });
    return orNone(key === "text" ? text : key === "by" ? decision.by : decision.origin);
  };
}

const thisHost = hostname();
