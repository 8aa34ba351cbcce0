/** What is read of a span, as Jaeger's query API tells it. */
export interface JaegerSpan {
  readonly spanID: string;
  readonly operationName: string;
  readonly processID: string;
  /** Microseconds since the Unix epoch. */
  readonly startTime: number;
  readonly references: readonly { readonly spanID: string }[];
  readonly tags: readonly { readonly key: string; readonly value: unknown }[];
}

export interface JaegerTrace {
  readonly traceID: string;
  readonly spans: readonly JaegerSpan[];
  readonly processes: Readonly<Record<string, { readonly serviceName: string }>>;
}

/** The newest traces that a workload (`NAME.NAMESPACE`) took part in. `queryUrl`: `http://HOST:PORT` of Jaeger. */
export async function readTraces(
  queryUrl: string,
  service: string,
  limit: number,
): Promise<readonly JaegerTrace[]> {
  const query = new URLSearchParams({ service, limit: String(limit), lookback: "1h" });
  const response = await fetch(`${queryUrl}/api/traces?${query}`);
  return ((await response.json()) as { readonly data: readonly JaegerTrace[] | null }).data ?? [];
}

/** The workloads that took part in a trace, without the namespace that their spans name too. */
export function workloadsOf({ processes }: JaegerTrace): ReadonlySet<string> {
  return new Set(Object.values(processes).map(({ serviceName }) => serviceName.split(".")[0]!));
}

/**
 * What is missing of a trace through a mesh; undefined: it is whole. That is one
 * tree, in which each service that is called has a server's span below a
 * client's span of another service.
 */
export function gapOf(trace: JaegerTrace): string | undefined {
  const byId = new Map(trace.spans.map((span) => [span.spanID, span]));
  const nameOf = ({ processID }: JaegerSpan) => trace.processes[processID]?.serviceName ?? "";
  let roots = 0;
  for (const span of trace.spans) {
    const [parentId] = span.references.map(({ spanID }) => spanID);
    if (parentId === undefined) {
      roots += 1;
      continue;
    }
    const parent = byId.get(parentId);
    if (!parent) return `the span above "${span.operationName}" of ${nameOf(span)}`;
    if (kindOf(span) === "server" && (kindOf(parent) !== "client" || nameOf(parent) === nameOf(span))) {
      return `a client's span above the server's of ${nameOf(span)}`;
    }
  }
  return roots === 1 ? undefined : `one root: there are ${roots}`;
}

function kindOf({ tags }: JaegerSpan): unknown {
  return tags.find(({ key }) => key === "span.kind")?.value;
}
