import { flat } from "../net/latin1.ts";

/** Fields the codec itself must understand; everything else is `Ordinary`. */
export const FieldKind = {
  Ordinary: 0,
  ContentLength: 1,
  TransferEncoding: 2,
  Connection: 3,
  Host: 4,
  Upgrade: 5,
  Expect: 6,
  /** Concerns this connection only and is not forwarded. */
  HopByHop: 7,
  Te: 8,
} as const;

export interface FieldName {
  /** Lower case. */
  readonly name: string;
  readonly kind: number;
}

const kinds: Readonly<Record<string, number>> = {
  "content-length": FieldKind.ContentLength,
  "transfer-encoding": FieldKind.TransferEncoding,
  connection: FieldKind.Connection,
  host: FieldKind.Host,
  upgrade: FieldKind.Upgrade,
  expect: FieldKind.Expect,
  "keep-alive": FieldKind.HopByHop,
  "proxy-connection": FieldKind.HopByHop,
  te: FieldKind.Te,
};

const token = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const maxKnown = 2048;
const maxKnownLength = 64;
const known = new Map<string, FieldName>();

/**
 * The name of a field line as it came, checked and in lower case; undefined
 * when it is not a token (RFC 9110 §5.6.2). Names seen before cost one lookup:
 * the same few dozen make up nearly all traffic. The memory is bounded, and
 * strangers only miss the shortcut once it is full.
 */
export function fieldName(raw: string): FieldName | undefined {
  const found = known.get(raw);
  if (found) return found;
  if (!token.test(raw)) return undefined;
  const name = internalized(flat(raw.toLowerCase()));
  const made: FieldName = { name, kind: Object.hasOwn(kinds, name) ? kinds[name]! : FieldKind.Ordinary };
  if (known.size < maxKnown && raw.length <= maxKnownLength) known.set(flat(raw), made);
  return made;
}

/** The engine's one copy of a string, so that comparing names compares addresses. */
function internalized(text: string): string {
  return Object.keys({ [text]: true })[0]!;
}

const common =
  "accept accept-encoding accept-language authorization cache-control connection content-encoding content-length content-type cookie date etag expect expires host keep-alive last-modified location origin referer server set-cookie te trailer transfer-encoding upgrade user-agent vary via x-b3-parentspanid x-b3-sampled x-b3-spanid x-b3-traceid traceparent tracestate x-envoy-attempt-count x-envoy-expected-rq-timeout-ms x-envoy-peer-metadata x-envoy-peer-metadata-id x-envoy-upstream-service-time x-forwarded-client-cert x-forwarded-for x-forwarded-host x-forwarded-proto x-request-id end-user";
for (const name of common.split(" ")) {
  fieldName(name);
  fieldName(name.replace(/(^|-)[a-z]/g, (start) => start.toUpperCase()));
}
