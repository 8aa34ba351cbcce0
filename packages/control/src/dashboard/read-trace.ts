import { ApiRefusal } from "../api/refusal.ts";
import { readBody } from "../egress/read-body.ts";
import type { TraceReport, TraceSpan } from "./view.ts";

const timeoutMs = 5_000;
const maxBytes = 8 << 20;
const maxSpans = 1_000;

/**
 * One trace from Jaeger's query service.
 *
 * @throws ApiRefusal for what is no trace id, a trace that is not there, and a service that does not answer
 */
export async function readTrace(jaegerUrl: string, traceId: string): Promise<TraceReport> {
  if (!/^[0-9a-f]{1,32}$/.test(traceId)) {
    const hint = "it is the second part of traceparent, or trace_id in an access log";
    throw new ApiRefusal(400, { error: "a trace id is up to 32 hexadecimal digits", hint });
  }
  const base = jaegerUrl.replace(/\/+$/, "");
  const text = await read(`${base}/api/traces/${traceId}`);
  const spans = parseTrace(text);
  if (spans.length === 0) {
    throw new ApiRefusal(404, {
      error: `there is no trace ${traceId}`,
      hint: "spans arrive some seconds late",
    });
  }
  const durationMs = Math.max(...spans.map((span) => span.startMs + span.durationMs));
  return { traceId, link: `${base}/trace/${traceId}`, durationMs, spans };
}

async function read(url: string): Promise<string> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(timeoutMs), redirect: "error" });
    return await readBody(response, maxBytes);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new ApiRefusal(502, { error: `Jaeger does not answer: ${why}`, hint: "see --jaeger-url" });
  }
}

interface Found {
  readonly id: string;
  readonly parent: string | undefined;
  readonly startUs: number;
  readonly durationUs: number;
  readonly service: string;
  readonly operation: string;
  readonly tags: ReadonlyMap<string, string>;
}

/** Spans of the first trace in an answer of `/api/traces/ID`, parents before children; what is malformed is left out. */
export function parseTrace(text: string): readonly TraceSpan[] {
  const found = spansOf(text);
  if (found.length === 0) return [];
  const ids = new Set(found.map(({ id }) => id));
  const children = Map.groupBy(found, ({ parent }) =>
    parent !== undefined && ids.has(parent) ? parent : "",
  );
  const startUs = Math.min(...found.map((span) => span.startUs));
  const spans: TraceSpan[] = [];
  const seen = new Set<string>();
  const add = (parent: string, depth: number): void => {
    for (const span of (children.get(parent) ?? []).toSorted((a, b) => a.startUs - b.startUs)) {
      if (seen.has(span.id)) continue;
      seen.add(span.id);
      const { id, service, operation, durationUs, tags } = span;
      spans.push({
        id,
        depth,
        service,
        operation,
        startMs: (span.startUs - startUs) / 1000,
        durationMs: durationUs / 1000,
        isFailed: tags.get("error") === "true" || tags.get("otel.status_code") === "ERROR",
        notes: notesOf(tags),
      });
      add(id, Math.min(depth + 1, 64));
    }
  };
  add("", 0);
  return spans;
}

function notesOf(tags: ReadonlyMap<string, string>): string[] {
  const note = (name: string, tag: string): string[] => {
    const value = tags.get(tag);
    return value === undefined || value === "" || value === "-" || value === "0" ? [] : [`${name} ${value}`];
  };
  return [
    ...note("status", "http.status_code"),
    ...note("gRPC", "grpc.status_code"),
    ...note("flags", "response_flags"),
    ...note("route", "route_name"),
    ...note("retries", "retry.count"),
    ...note("", "response_code_details").map((text) => text.trim()),
  ].map((text) => text.slice(0, 200));
}

function spansOf(text: string): readonly Found[] {
  const answer = objectOf(parseJson(text));
  const [trace] = Array.isArray(answer.data) ? answer.data.map(objectOf) : [];
  const processes = objectOf(trace?.processes);
  const spans = Array.isArray(trace?.spans) ? trace.spans.slice(0, maxSpans).map(objectOf) : [];
  return spans.flatMap((span) => {
    const { spanID: id, startTime: startUs, duration: durationUs, processID, operationName } = span;
    if (typeof id !== "string" || typeof startUs !== "number" || typeof durationUs !== "number") return [];
    const references = Array.isArray(span.references) ? span.references.map(objectOf) : [];
    const parent = references.find(({ refType }) => refType === "CHILD_OF")?.spanID;
    const process = typeof processID === "string" ? objectOf(processes[processID]) : {};
    const tags = Array.isArray(span.tags) ? span.tags.map(objectOf) : [];
    return {
      id,
      parent: typeof parent === "string" ? parent : undefined,
      startUs,
      durationUs,
      service: String(process.serviceName ?? "").slice(0, 200),
      operation: String(operationName ?? "").slice(0, 200),
      tags: new Map(tags.map(({ key, value }) => [String(key), String(value)])),
    };
  });
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function objectOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
}
