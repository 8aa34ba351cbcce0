import type { Span } from "./tracing-plan.ts";

/** Who reports. */
export interface ZipkinEndpoint {
  readonly serviceName: string;
  readonly ipv4: string;
}

/**
 * Spans as a JSON list in UTF-8, times in microseconds.
 *
 * @see https://zipkin.io/zipkin-api/#/default/post_spans
 */
export function encodeZipkinSpans(spans: readonly Span[], localEndpoint: ZipkinEndpoint): Uint8Array {
  return Buffer.from(JSON.stringify(spans.map((span) => encodeSpan(span, localEndpoint))), "utf8");
}

function encodeSpan(span: Span, localEndpoint: ZipkinEndpoint): object {
  const { traceId, spanId, parentId, isShared, name, kind, startMs, endMs } = span;
  const tags: Record<string, string> = {};
  for (let i = 0; i < span.attributes.length; i += 2) {
    tags[String(span.attributes[i])] = String(span.attributes[i + 1]);
  }
  return {
    traceId,
    id: spanId,
    ...(parentId === "" ? {} : { parentId }),
    ...(isShared ? { shared: true } : {}),
    name,
    kind: kind === "server" ? "SERVER" : "CLIENT",
    timestamp: Math.round(startMs * 1_000),
    duration: Math.max(1, Math.round((endMs - startMs) * 1_000)),
    localEndpoint,
    tags,
  };
}
