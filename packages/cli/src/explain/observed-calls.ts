import { UserError } from "@weft/base/errors";
import type { RecalledRequest } from "@weft/control/api/observe-protocol";
import type { Question } from "./question.ts";

/** A call that was made, as the data planes at its ends remember it. */
export interface ObservedCall {
  readonly question: Question;
  /** The caller's, and the callee's; at least one of them. */
  readonly outbound?: RecalledRequest;
  readonly inbound?: RecalledRequest;
  /** What was asked for and cannot be asked again: names of fields, `query`. */
  readonly unknown: readonly string[];
}

/** The most calls that one request id is followed through. */
const maxCalls = 16;
/** What data planes put into requests; nobody's condition is about it. */
const ownFields = /^(x-envoy-|x-forwarded-(proto|client-cert)$|host$|content-length$)/;
const hidden = "***";

/**
 * The calls of one request id, the first first: what the caller's data plane saw
 * belongs to what the callee's saw within it. A request id goes from call to
 * call where applications hand it on.
 *
 * @throws UserError where nobody remembers it
 */
export function observedCalls(
  requestId: string,
  remembered: readonly RecalledRequest[],
): readonly ObservedCall[] {
  const http = remembered.filter(({ request }) => request.method !== "");
  const taken = new Set<RecalledRequest>();
  const calls: ObservedCall[] = [];
  for (const outbound of http.filter(({ request }) => request.direction === "outbound")) {
    const inbound = http.find((one) => !taken.has(one) && isOtherEnd(outbound, one));
    if (inbound) taken.add(inbound);
    calls.push(callOf(outbound.workload, outbound, { outbound, ...(inbound && { inbound }) }));
  }
  for (const inbound of http) {
    if (inbound.request.direction === "outbound" || taken.has(inbound)) continue;
    const from = inbound.request.source?.workload ?? "";
    if (from !== "") calls.push(callOf(from, inbound, { inbound }));
  }
  if (calls.length > 0) {
    const startOf = ({ outbound, inbound }: ObservedCall) => (outbound ?? inbound)!.request.startedMs;
    return calls.sort((a, b) => startOf(a) - startOf(b)).slice(0, maxCalls);
  }
  const [only] = http;
  throw new UserError(
    only
      ? `the call ${requestId} to ${only.workload} came from outside the mesh: nobody knows its caller's configuration`
      : `no data plane remembers a call with the request id ${requestId}`,
    {
      hint: only
        ? "'weft logs' shows what was recorded of it"
        : "they remember the last few hundred; name access logs with --log for older ones",
    },
  );
}

function isOtherEnd({ request: out }: RecalledRequest, { workload, request }: RecalledRequest): boolean {
  if (request.direction !== "inbound" || request.method !== out.method) return false;
  const deployment = out.destination?.workload ?? "";
  if (deployment !== "" && request.destination?.workload !== deployment && !workload.startsWith(deployment))
    return false;
  // Clocks of two machines are apart by a little.
  return (
    request.startedMs >= out.startedMs - 1_000 && request.startedMs <= out.startedMs + out.durationMs + 1_000
  );
}

function callOf(
  from: string,
  { request }: RecalledRequest,
  ends: Pick<ObservedCall, "inbound" | "outbound">,
): ObservedCall {
  const { authority, path, method, downstreamLocal, direction, userAgent } = request;
  const [, host = authority, port] = /^(.*?)(?::(\d+))?$/.exec(authority) ?? [];
  const [, localHost = "", localPort] = /^\[?(.*?)\]?:(\d+)$/.exec(downstreamLocal) ?? [];
  const fields = request.headers ?? [];
  const kept: string[] = [];
  const unknown: string[] = [];
  for (let i = 0; i < fields.length; i += 2) {
    const [name, value] = [fields[i]!.toLowerCase(), fields[i + 1] ?? ""];
    if (value === hidden) unknown.push(name);
    else if (!ownFields.test(name)) kept.push(name, value);
  }
  if (fields.length === 0) {
    unknown.push("its fields");
    if (userAgent !== "") kept.push("user-agent", userAgent);
  }
  if (path.includes(`=${hidden}`)) unknown.push("a part of its query");
  return {
    question: {
      from,
      scheme: "http",
      host: host.replace(/^\[|\]$/g, ""),
      port: Number(port ?? localPort ?? 80),
      path,
      method,
      headers: [...kept, "host", authority],
      ...(direction === "outbound" &&
        localPort && { arrived: { address: localHost, port: Number(localPort) } }),
    },
    ...ends,
    unknown,
  };
}
