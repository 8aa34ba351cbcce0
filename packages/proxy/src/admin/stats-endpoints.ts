import { messageOf } from "@weft/base/errors";
import { contentTypes, type MetricsFormat, negotiateFormat, prefersProtobuf } from "@weft/base/exposition";
import type { MetricKind } from "@weft/base/metric-registry";
import { compileSearch, type StringPredicate } from "../route/string-matcher.ts";
import { type HistogramForm, histogramForms } from "../telemetry/histogram-forms.ts";
import type { AdminAnswer, AdminEndpoint } from "./admin-server.ts";

/** Statistics of the running proxy, all workers together. */
export interface StatsViews {
  statsText(options: StatsOptions): Promise<string>;
  /** JSON text. */
  statsJson(options: StatsOptions): Promise<string>;
  statsPrometheus(options: StatsOptions, format: MetricsFormat): Promise<string | Buffer>;
  /** Whether histograms are kept in the form that only messages carry. */
  readonly hasNativeHistograms: boolean;
}

export interface StatsOptions {
  /** Names must pass it. */
  readonly filter: StringPredicate | undefined;
  /** Only what has ever been updated. */
  readonly usedOnly: boolean;
  /** Only these; undefined: all. */
  readonly kinds: readonly MetricKind[] | undefined;
  readonly histograms: HistogramForm;
}

/** `type=` of `/stats`. There are no texts among the statistics. */
const kinds: Readonly<Record<string, readonly MetricKind[] | undefined>> = {
  All: undefined,
  Counters: ["counter"],
  Gauges: ["gauge"],
  Histograms: ["histogram"],
  TextReadouts: [],
};

const usualParameters = ["usedonly", "filter", "invert_filter", "hidden", "text_readouts"];

/** Envoy's `/stats` and what is below it. */
export function statsEndpoints(views: StatsViews, resetCounters: () => void): readonly AdminEndpoint[] {
  return [
    {
      path: "/stats",
      help: "print server stats",
      parameters: [...usualParameters, "format", "type", "histogram_buckets"],
      answer: (query, accept) => answerStats(query, accept, views, query.get("format") ?? "text"),
    },
    {
      path: "/stats/prometheus",
      help: "print server stats in prometheus format",
      parameters: [...usualParameters, "histogram_buckets"],
      answer: (query, accept) => answerStats(query, accept, views, "prometheus"),
    },
    {
      path: "/stats/recentlookups",
      help: "Show recent stat-name lookups",
      answer: () => ({ body: `Lookup tracking is not enabled: ${noLookups}.\n\ntotal: 0\n` }),
    },
    ...["clear", "disable", "enable"].map(
      (what): AdminEndpoint => ({
        path: `/stats/recentlookups/${what}`,
        help: "not supported: nothing is looked up by name",
        isMutation: true,
        answer: () => ({ status: 501, body: `There is nothing to track: ${noLookups}.\n` }),
      }),
    ),
    {
      path: "/reset_counters",
      help: "reset all counters to zero",
      isMutation: true,
      answer() {
        resetCounters();
        return { body: "OK\n" };
      },
    },
  ];
}

const noLookups =
  "statistics are found when configuration is loaded, and never by name on behalf of a request";

async function answerStats(
  query: URLSearchParams,
  accept: string | undefined,
  views: StatsViews,
  format: string,
): Promise<AdminAnswer> {
  const options = readOptions(query);
  if (typeof options === "string") return { status: 400, body: `${options}\n` };
  switch (format) {
    case "text":
      return { body: await views.statsText(options) };
    case "json":
      return { contentType: "application/json", body: await views.statsJson(options) };
    case "prometheus": {
      if (options.histograms === "disjoint") {
        return { status: 400, body: "usage: /stats/prometheus?histogram_buckets=cumulative\n" };
      }
      const isMessages = views.hasNativeHistograms && prefersProtobuf(accept);
      const exposition = isMessages ? "protobuf" : negotiateFormat(accept);
      const body = await views.statsPrometheus(options, exposition);
      return { contentType: contentTypes[exposition], body };
    }
    default:
      return { status: 400, body: "usage: /stats?format=(text|json|prometheus)\n" };
  }
}

/** What is asked for, or what is wrong with it. */
function readOptions(query: URLSearchParams): StatsOptions | string {
  const pattern = query.get("filter");
  let filter: StringPredicate | undefined;
  try {
    if (pattern !== null) filter = compileSearch(pattern);
  } catch (error) {
    return `Invalid re2 regex: ${messageOf(error)}`;
  }
  const type = query.get("type") ?? "All";
  if (!Object.hasOwn(kinds, type)) return "invalid &type= param";
  const form = query.get("histogram_buckets") ?? "summary";
  const histograms = histogramForms.find((known) => known === form);
  if (!histograms) return `usage: /stats?histogram_buckets=(${histogramForms.join("|")})`;
  const hidden = query.get("hidden") ?? "exclude";
  if (!["include", "only", "exclude"].includes(hidden)) return "usage: /stats?hidden=(include|only|exclude)";
  const matches = filter;
  return {
    filter: query.has("invert_filter") && matches ? (name) => !matches(name) : filter,
    usedOnly: query.has("usedonly"),
    // Nothing is hidden.
    kinds: hidden === "only" ? [] : kinds[type],
    histograms,
  };
}
