import { messageOf } from "@weft/base/errors";
import type { DrainRequest } from "../listener/listener-set.ts";
import { compileFullMatch, compileSearch, type StringPredicate } from "../route/string-matcher.ts";
import type { AdminAnswer, AdminEndpoint } from "./admin-server.ts";
import { diagnosticEndpoints, type Unready } from "./diagnostic-endpoints.ts";
import { selectConfig } from "./select-config.ts";
import { type StatsViews, statsEndpoints } from "./stats-endpoints.ts";

/** Where the proxy is in its life, in Envoy's words. */
export type ServerState = "PRE_INITIALIZING" | "INITIALIZING" | "LIVE" | "DRAINING";

export const logLevels = ["trace", "debug", "info", "warning", "error", "critical", "off"] as const;
export type LogLevel = (typeof logLevels)[number];

/** Views of the running proxy, made when asked for. */
export interface AdminViews extends StatsViews {
  state(): ServerState;
  /** When the configuration served was written to disk; undefined while a management server stands behind it. */
  keptSince(): number | undefined;
  serverInfo(): unknown;
  hotRestartVersion(): string;
  runtime(): unknown;
  clustersText(filter: StringPredicate | undefined): string;
  clustersJson(filter: StringPredicate | undefined): unknown;
  listeners(): readonly { readonly name: string; readonly host: string; readonly port: number | undefined }[];
  unready(): Unready;
  configDump(includeEndpoints: boolean): readonly Readonly<Record<string, unknown>>[];
  certificates(): unknown;
  logLevel(): LogLevel;
}

/** What an operator may do through the admin endpoint. */
export interface AdminActions {
  drainListeners(request: DrainRequest): void;
  quit(): void;
  failHealthCheck(isFailed: boolean): void;
  setLogLevel(level: LogLevel): void;
  resetCounters(): void;
  /** Opens the files of access logs anew. */
  reopenLogs(): void;
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
    ...statsEndpoints(views, () => actions.resetCounters()),
    {
      path: "/clusters",
      help: "upstream cluster status",
      parameters: ["format", "filter"],
      answer: (query) => answerClusters(query, views),
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
    ...diagnosticEndpoints(() => views.unready()),
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
      path: "/reopen_logs",
      help: "reopen access logs",
      isMutation: true,
      answer() {
        actions.reopenLogs();
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

function answerClusters(query: URLSearchParams, views: AdminViews): AdminAnswer {
  const pattern = query.get("filter");
  let filter: StringPredicate | undefined;
  try {
    if (pattern !== null) filter = compileSearch(pattern);
  } catch (error) {
    return { status: 400, body: `Invalid re2 regex: ${messageOf(error)}\n` };
  }
  return query.get("format") === "json"
    ? json(views.clustersJson(filter))
    : { body: views.clustersText(filter) };
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
