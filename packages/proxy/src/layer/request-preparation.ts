import { networkInterfaces } from "node:os";
import type { HttpConnectionPlan } from "../listener/listener-plan.ts";
import { isLoopback, parseAddress, plainAddress } from "../net/cidr.ts";
import type { SocketAddress } from "../net/socket-address.ts";
import { isGrpc } from "../route/request-matcher.ts";
import { applyClientCertificate, clientCertificateHeader } from "./client-certificate-header.ts";
import type { DownstreamConnection } from "./downstream-connection.ts";
import type { HeaderList } from "./header-list.ts";
import type { RequestHead } from "./message.ts";
import { normalizePath } from "./path-normalization.ts";
import { isReferer } from "./referer.ts";
import { createRequestId } from "./request-id.ts";

/** What preparing a request found out, beside the edits it made to the head. */
export interface Preparation {
  requestId: string;
  clientAddress: SocketAddress | undefined;
  /** Set when the request must be answered at once. */
  refusal: Refusal | undefined;
}

export interface Refusal {
  readonly status: number;
  readonly details: string;
  /** Where it is counted. */
  readonly stat?: "rqNonRelativePath" | "rqFailedPathNormalization" | "rqRedirectedToNormalizedPath";
  readonly location: string | undefined;
}

const noHost: Refusal = { status: 400, details: "missing_host_header", location: undefined };
const noContentType: Refusal = { status: 400, details: "query_missing_content_type", location: undefined };
const noPath: Refusal = {
  status: 404,
  details: "absolute_path_rejected",
  stat: "rqNonRelativePath",
  location: undefined,
};
const rejectedPath: Refusal = {
  status: 400,
  details: "path_normalization_failed",
  stat: "rqFailedPathNormalization",
  location: undefined,
};

/** Instructions to a proxy, which only a proxy of ours may give: never believed from outside. */
const internalFields = new Set([
  "x-envoy-internal",
  "x-envoy-retry-on",
  "x-envoy-retry-grpc-on",
  "x-envoy-max-retries",
  "x-envoy-retriable-status-codes",
  "x-envoy-retriable-header-names",
  "x-envoy-upstream-alt-stat-name",
  "x-envoy-upstream-rq-timeout-ms",
  "x-envoy-upstream-rq-per-try-timeout-ms",
  "x-envoy-upstream-rq-per-try-idle-timeout-ms",
  "x-envoy-upstream-rq-timeout-alt-response",
  "x-envoy-expected-rq-timeout-ms",
  "x-envoy-force-trace",
  "x-envoy-ip-tags",
  "x-envoy-original-url",
  "x-envoy-hedge-on-per-try-timeout",
  "x-envoy-attempt-count",
]);
/** Removed as well where the client is not one of ours. */
const edgeFields = new Set([
  "x-envoy-decorator-operation",
  "x-envoy-downstream-service-cluster",
  "x-envoy-downstream-service-node",
  "x-envoy-original-path",
]);

/**
 * Makes a request fit to be judged and forwarded: internal instructions from
 * outside removed, the path in its one form, who the client is and how it came
 * recorded in the usual fields. Runs before routing and every filter.
 *
 * @see envoy source/common/http/conn_manager_utility.cc for the order of decisions
 */
export function prepareRequest(
  head: RequestHead,
  connection: DownstreamConnection,
  plan: HttpConnectionPlan,
): Preparation {
  const headers = head.headers;
  const flat = headers.flat;
  let requestId = "";
  let hasRequestId = false;
  let forwardedFor: string | undefined;
  let forwardedProto: string | undefined;
  let hasClientCertificate = false;
  let hasInternal = false;
  let hasBadReferer = false;
  for (let i = 0; i < flat.length; i += 2) {
    const name = flat[i]!;
    if (name.charCodeAt(0) !== 120 || name.charCodeAt(1) !== 45) {
      if (name === "referer" && !isReferer(flat[i + 1]!)) hasBadReferer = true;
      continue;
    }
    switch (name) {
      case "x-request-id":
        requestId = flat[i + 1]!;
        hasRequestId = true;
        break;
      case "x-forwarded-for":
        forwardedFor = forwardedFor === undefined ? flat[i + 1]! : `${forwardedFor},${flat[i + 1]}`;
        break;
      case "x-forwarded-proto":
        forwardedProto = flat[i + 1]!;
        break;
      case clientCertificateHeader:
        hasClientCertificate = true;
        break;
      default:
        if (internalFields.has(name) || (plan.useRemoteAddress && edgeFields.has(name))) hasInternal = true;
    }
  }
  if (hasBadReferer) headers.remove("referer");
  if (hasInternal) removeInternal(headers, plan.useRemoteAddress);

  let clientAddress: SocketAddress | undefined;
  if (plan.useRemoteAddress) {
    const remote = hostOf(connection.remote);
    clientAddress =
      plan.xffNumTrustedHops > 0 ? trustedHop(forwardedFor, plan.xffNumTrustedHops - 1) : undefined;
    if (!plan.skipXffAppend && remote !== "") {
      // Like Envoy: for callers on this machine, the address the machine is known by.
      const known = isLoopback(remote) ? machineAddress() : remote;
      headers.set("x-forwarded-for", forwardedFor ? `${forwardedFor},${known}` : known);
    }
    if (plan.xffNumTrustedHops === 0 && forwardedProto !== undefined) {
      forwardedProto = head.scheme;
      headers.set("x-forwarded-proto", forwardedProto);
    }
  } else if (forwardedFor !== undefined) {
    clientAddress = trustedHop(forwardedFor, plan.xffNumTrustedHops);
    headers.set("x-forwarded-for", forwardedFor);
  }
  if (!forwardedProto) headers.set("x-forwarded-proto", head.scheme);
  else if (forwardedProto === "https" || forwardedProto === "http") head.scheme = forwardedProto;

  if (plan.appendsForwardedPort && connection.local.kind === "ip") {
    const isEdge = plan.useRemoteAddress && plan.xffNumTrustedHops === 0;
    if (isEdge || !headers.has("x-forwarded-port")) {
      headers.set("x-forwarded-port", `${connection.local.port}`);
    }
  }
  if (plan.useRemoteAddress) {
    const external = clientAddress?.kind === "ip" ? clientAddress.host : hostOf(connection.remote);
    if (external !== "") headers.set("x-envoy-external-address", external);
  }
  if (plan.via !== "") headers.append("via", plan.via);
  if (plan.generateRequestId) {
    const isForeign = plan.useRemoteAddress && !plan.preserveExternalRequestId;
    if (requestId === "" || isForeign) {
      requestId = createRequestId();
      if (hasRequestId) headers.set("x-request-id", requestId);
      else headers.append("x-request-id", requestId);
    }
  }
  if (hasClientCertificate || connection.peer || connection.unverifiedPeer) {
    applyClientCertificate(headers, connection, plan, hasClientCertificate);
  }
  if (plan.stripsHostDot) head.authority = withoutTrailingDot(head.authority);
  if (plan.stripPort !== "none")
    head.authority = withoutPort(head.authority, plan.stripPort, connection.local);

  let refusal: Refusal | undefined;
  if (head.authority === "") refusal = noHost;
  else if (head.path.charCodeAt(0) !== 47 && head.path !== "") refusal = noPath;
  else if (head.method === "QUERY" && !headers.has("content-type")) refusal = noContentType;
  else if (head.path.includes("#")) refusal = rejectedPath;
  else if (plan.normalizePath || plan.mergeSlashes || plan.escapedSlashes !== "keep") {
    const result = normalizePath(head.path, plan);
    if (result.kind === "reject") refusal = rejectedPath;
    else {
      head.path = result.path;
      if (result.kind === "redirect" && isGrpc(head)) refusal = rejectedPath;
      else if (result.kind === "redirect") {
        refusal = {
          status: 307,
          details: "path_normalization_failed",
          stat: "rqRedirectedToNormalizedPath",
          location: result.path,
        };
      }
    }
  }
  return { requestId, clientAddress, refusal };
}

function removeInternal(headers: HeaderList, isEdge: boolean): void {
  headers.removeWhere((name) => internalFields.has(name) || (isEdge && edgeFields.has(name)));
}

/** The address `hops` from the right of `x-forwarded-for`, when there is one. */
function trustedHop(forwardedFor: string | undefined, hops: number): SocketAddress | undefined {
  if (forwardedFor === undefined) return undefined;
  const addresses = forwardedFor.split(",");
  const text = addresses[addresses.length - 1 - hops]?.trim();
  if (!text || !parseAddress(text)) return undefined;
  return { kind: "ip", host: plainAddress(text), port: 0 };
}

let ownAddress: string | undefined;

/** The first address that is not loopback, as Envoy's "local address" is. */
export function machineAddress(): string {
  if (ownAddress === undefined) {
    const all = Object.values(networkInterfaces()).flatMap((list) => list ?? []);
    ownAddress = all.find(({ family, internal }) => family === "IPv4" && !internal)?.address ?? "127.0.0.1";
  }
  return ownAddress;
}

function hostOf(address: SocketAddress): string {
  return address.kind === "ip" ? address.host : "";
}

/** `host.` and `host.:port` without the dot. */
function withoutTrailingDot(authority: string): string {
  const colon = authority.lastIndexOf(":");
  const end = colon < 0 || authority.indexOf("]", colon) >= 0 ? authority.length : colon;
  return authority.charCodeAt(end - 1) === 46
    ? authority.slice(0, end - 1) + authority.slice(end)
    : authority;
}

function withoutPort(authority: string, mode: "matching" | "any", local: SocketAddress): string {
  const at = authority.lastIndexOf(":");
  if (at < 0 || at === authority.length - 1 || authority.indexOf("]", at) >= 0) return authority;
  if (mode === "any") return authority.slice(0, at);
  const port = Number(authority.slice(at + 1));
  return local.kind === "ip" && local.port === port ? authority.slice(0, at) : authority;
}
