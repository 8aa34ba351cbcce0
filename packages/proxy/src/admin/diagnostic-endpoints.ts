import type { AdminEndpoint } from "./admin-server.ts";

/** What is still waited for before it is put in force, by the kind of resource. */
export interface Unready {
  readonly listeners: readonly string[];
  readonly clusters: readonly string[];
}

/** Envoy's endpoints about its own inside: what there is here, and of the rest why there is not. */
export function diagnosticEndpoints(unready: () => Unready): readonly AdminEndpoint[] {
  return [
    {
      path: "/init_dump",
      help: "dump what is not ready yet (experimental)",
      parameters: ["mask"],
      answer: (query) => json(initDump(unready(), query.get("mask"))),
    },
    {
      path: "/memory",
      help: "print current allocation/heap usage",
      answer: () => json(memory()),
    },
    {
      path: "/memory/tcmalloc",
      help: "not supported: memory is V8's",
      answer: () => ({ status: 501, body: "TCMalloc is not used: memory is V8's, see /memory.\n" }),
    },
    {
      path: "/contention",
      help: "not supported: there is no mutex",
      answer: () => ({ body: "Mutex contention tracing is not enabled: workers share no lock.\n" }),
    },
    ...profilers.map(
      ([path, what]): AdminEndpoint => ({
        path,
        help: "not supported",
        isMutation: true,
        parameters: ["enable"],
        answer: () => ({
          status: 501,
          body: `The current build does not support ${what}: start it with NODE_OPTIONS=--cpu-prof or --heap-prof.\n`,
        }),
      }),
    ),
    ...["/heap_dump", "/peak_heap_dump"].map(
      (path): AdminEndpoint => ({
        path,
        help: "not supported: a heap holds keys and what requests carry",
        answer: () => ({
          status: 501,
          body: "The current build does not support heap dumps: they would show keys and what requests carry.\n",
        }),
      }),
    ),
    {
      path: "/runtime_modify",
      help: "not supported: runtime values are read when configuration is loaded",
      isMutation: true,
      parameters: "any",
      answer: () => ({
        status: 503,
        body: "Runtime values are read when configuration is loaded, and do not change: edit layered_runtime and start again.\n",
      }),
    },
  ];
}

const profilers: readonly (readonly [path: string, what: string])[] = [
  ["/cpuprofiler", "the CPU profiler"],
  ["/heapprofiler", "heap profiler"],
  ["/allocprofiler", "the allocation profiler"],
];

/** @see envoy.admin.v3.UnreadyTargetsDumps */
function initDump({ listeners, clusters }: Unready, mask: string | null): unknown {
  const dumps = [
    ...listeners.map((name) => ({
      name: `init manager Listener ${name}`,
      target_names: [`listener ${name}`],
    })),
    ...(mask === "listener" || clusters.length === 0
      ? []
      : [{ name: "init manager Server", target_names: clusters.map((name) => `cluster ${name}`) }]),
  ];
  return dumps.length === 0 ? {} : { unready_targets_dumps: dumps };
}

function json(value: unknown) {
  return { contentType: "application/json", body: `${JSON.stringify(value, undefined, 1)}\n` };
}

function memory(): unknown {
  const usage = process.memoryUsage();
  return {
    allocated: String(usage.heapUsed + usage.external),
    heap_size: String(usage.heapTotal),
    pageheap_unmapped: "0",
    pageheap_free: String(usage.heapTotal - usage.heapUsed),
    total_thread_cache: "0",
    total_physical_bytes: String(usage.rss),
  };
}
