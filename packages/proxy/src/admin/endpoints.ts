import { messageOf } from "@weft/base/errors";
import { contentTypes, type MetricsFormat, negotiateFormat, prefersProtobuf } from "@weft/base/exposition";
import type { DrainRequest } from "../listener/listener-set.ts";
import { compileFullMatch, compileSearch, type StringPredicate } from "../route/string-matcher.ts";
import type { AdminAnswer, AdminEndpoint } from "./admin-server.ts";
import { selectConfig } from "./select-config.ts";

/** Where the proxy is in its life, in Envoy's words. */
export type ServerState = "PRE_INITIALIZING" | "INITIALIZING" | "LIVE" | "DRAINING";

export const logLevels = ["trace", "debug", "info", "warning", "error", "critical", "off"] as const;
export type LogLevel = (typeof logLevels)[number];

/** Views of the running proxy, made when asked for. */
export interface AdminViews {
  state(): ServerState;
  /** When the configuration served was written to disk; undefined while a management server stands behind it. */
  keptSince(): number | undefined;
  serverInfo(): unknown;
  hotRestartVersion(): string;
  statsText(options: StatsOptions): Promise<string>;
  /** JSON text. */
  statsJson(options: StatsOptions): Promise<string>;
  statsPrometheus(options: StatsOptions, format: MetricsFormat): Promise<string | Buffer>;
  /** Whether histograms are kept in the form that only messages carry. */
  readonly hasNativeHistograms: boolean;
  runtime(): unknown;
  clustersText(): string;
  clustersJson(): unknown;
  listeners(): readonly { readonly name: string; readonly host: string; readonly port: number | undefined }[];
  configDump(includeEndpoints: boolean): readonly Readonly<Record<string, unknown>>[];
  certificates(): unknown;
  logLevel(): LogLevel;
}

export interface StatsOptions {
  /** Names must contain a match. */
  readonly filter: StringPredicate | undefined;
  /** Only what has ever been updated. */
  readonly usedOnly: boolean;
}

/** What an operator may do through the admin endpoint. */
export interface AdminActions {
  drainListeners(request: DrainRequest): void;
  quit(): void;
  failHealthCheck(isFailed: boolean): void;
  setLogLevel(level: LogLevel): void;
}

const okAnswer: AdminAnswer = { body: "OK\n" };

/** Envoy's admin endpoints, with Envoy's paths, parameters and formats. */
export function adminEndpoints(views: AdminViews, actions: AdminActions): readonly AdminEndpoint[] {
  return [
    {
      path: "/ready",
      help: "print server state, return 200 if LIVE, otherwise return 503",
      answer: () => answerReady(views),
    },
    {
      path: "/server_info",
      help: "print server version/status information",
      answer: () => json(views.serverInfo()),
    },
    {
      path: "/stats",
      help: "print server stats",
      parameters: ["usedonly", "filter", "format"],
      answer: (query, accept) => answerStats(query, accept, views),
    },
    {
      path: "/stats/prometheus",
      help: "print server stats in prometheus format",
      parameters: ["usedonly", "filter"],
      answer: (query, accept) => answerStats(query, accept, views, "prometheus"),
    },
    {
      path: "/clusters",
      help: "upstream cluster status",
      parameters: ["format"],
      answer: (query) =>
        query.get("format") === "json" ? json(views.clustersJson()) : { body: views.clustersText() },
    },
    {
      path: "/listeners",
      help: "print listener info",
      parameters: ["format"],
      answer: (query) => answerListeners(query, views),
    },
    {
      path: "/config_dump",
      help: "dump current Envoy configs (secrets redacted)",
      parameters: ["resource", "mask", "name_regex", "include_eds"],
      answer: (query) => answerConfigDump(query, views),
    },
    {
      path: "/hot_restart_version",
      help: "print the hot restart compatibility version",
      answer: () => ({ body: `${views.hotRestartVersion()}\n` }),
    },
    { path: "/certs", help: "print certs on machine", answer: () => json(views.certificates()) },
    {
      path: "/runtime",
      help: "print runtime values",
      answer: () => json(views.runtime()),
    },
    {
      path: "/memory",
      help: "print current allocation/heap usage",
      answer: () => json(memory()),
    },
    {
      path: "/logging",
      help: "query/change logging levels",
      isMutation: true,
      parameters: ["level"],
      answer: (query) => answerLogging(query, views, actions),
    },
    {
      path: "/drain_listeners",
      help: "drain listeners",
      isMutation: true,
      parameters: ["graceful", "skip_exit", "inboundonly"],
      answer(query) {
        actions.drainListeners({
          isGraceful: query.has("graceful"),
          keepsListening: query.has("skip_exit"),
          isInboundOnly: query.has("inboundonly"),
        });
        return okAnswer;
      },
    },
    {
      path: "/quitquitquit",
      help: "exit the server",
      isMutation: true,
      answer() {
        actions.quit();
        return okAnswer;
      },
    },
    {
      path: "/healthcheck/fail",
      help: "cause the server to fail health checks",
      isMutation: true,
      answer() {
        actions.failHealthCheck(true);
        return okAnswer;
      },
    },
    {
      path: "/healthcheck/ok",
      help: "cause the server to pass health checks",
      isMutation: true,
      answer() {
        actions.failHealthCheck(false);
        return okAnswer;
      },
    },
  ];
}

function answerReady(views: AdminViews): AdminAnswer {
  const state = views.state();
  const keptMs = views.keptSince();
  const note =
    keptMs === undefined
      ? ""
      : `configuration of ${new Date(keptMs).toISOString()}, kept on disk: the management server does not answer\n`;
  return { status: state === "LIVE" ? 200 : 503, body: `${state}\n${note}` };
}

function answerConfigDump(query: URLSearchParams, views: AdminViews): AdminAnswer {
  const pattern = query.get("name_regex");
  let matchesName: StringPredicate | undefined;
  try {
    if (pattern) matchesName = compileFullMatch(pattern);
  } catch (error) {
    return {
      status: 400,
      body: `INVALID_ARGUMENT: Error while parsing name_regex from ${pattern}: ${messageOf(error)}`,
    };
  }
  return selectConfig(views.configDump(query.has("include_eds")), {
    resource: query.get("resource") ?? undefined,
    mask: query.get("mask") ?? undefined,
    matchesName,
  });
}

async function answerStats(
  query: URLSearchParams,
  accept: string | undefined,
  views: AdminViews,
  format = query.get("format") ?? "text",
): Promise<AdminAnswer> {
  let filter: StringPredicate | undefined;
  try {
    const text = query.get("filter");
    filter = text === null ? undefined : compileSearch(text);
  } catch {
    return { status: 400, body: "Invalid re2 regex\n" };
  }
  const options: StatsOptions = { filter, usedOnly: query.has("usedonly") };
  switch (format) {
    case "text":
      return { body: await views.statsText(options) };
    case "json":
      return { contentType: "application/json", body: await views.statsJson(options) };
    case "prometheus": {
      const isMessages = views.hasNativeHistograms && prefersProtobuf(accept);
      const exposition = isMessages ? "protobuf" : negotiateFormat(accept);
      const body = await views.statsPrometheus(options, exposition);
      return { contentType: contentTypes[exposition], body };
    }
    default:
      return { status: 400, body: "usage: /stats?format=(text|json|prometheus)\n" };
  }
}

function answerListeners(query: URLSearchParams, views: AdminViews): AdminAnswer {
  const listeners = views.listeners();
  if (query.get("format") === "json") {
    return json({
      listener_statuses: listeners.map(({ name, host, port }) => ({
        name,
        local_address:
          port === undefined
            ? { pipe: { path: host } }
            : { socket_address: { address: host, port_value: port } },
      })),
    });
  }
  return {
    body: listeners
      .map(({ name, host, port }) => {
        const shown = host.includes(":") ? `[${host}]` : host;
        return `${name}::${port === undefined ? host : `${shown}:${port}`}\n`;
      })
      .join(""),
  };
}

function answerLogging(query: URLSearchParams, views: AdminViews, actions: AdminActions): AdminAnswer {
  const level = query.get("level");
  if (level !== null) {
    const known = logLevels.find((name) => name === level);
    if (!known)
      return { status: 400, body: `error: unknown level '${level}', one of ${logLevels.join(", ")}\n` };
    actions.setLogLevel(known);
  }
  return { body: `active loggers:\n  weft: ${views.logLevel()}\n` };
}

function json(value: unknown): AdminAnswer {
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
