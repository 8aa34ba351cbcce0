import type { Clock, Timer } from "@weft/base/clock";
import { UserError } from "@weft/base/errors";
import type { AskedCall, MeshQuestions } from "../api/backend.ts";
import type { Caller } from "../api/caller.ts";
import type { DashboardLogin, HistoryList } from "../api/protocol.ts";
import type {
  CallExplanation,
  ObservedExplanations,
  ServiceDetail,
  TraceReport,
} from "../api/question-protocol.ts";
import { ApiRefusal } from "../api/refusal.ts";
import { buildView, readSignals } from "../dashboard/build-view.ts";
import { failingCalls } from "../dashboard/failing-calls.ts";
import { DashboardFeed } from "../dashboard/feed.ts";
import { readTrace } from "../dashboard/read-trace.ts";
import { recentFailures } from "../dashboard/recent-failures.ts";
import { type DashboardOptions, dashboardPath, serveDashboard } from "../dashboard/serve-dashboard.ts";
import { serviceDetail } from "../dashboard/service-detail.ts";
import type { DashboardSessions } from "../dashboard/sessions.ts";
import type { DashboardView } from "../dashboard/view.ts";
import { historyStepMs, SignalHistory } from "../telemetry/signal-history.ts";
import type { ControlApi } from "./control-api.ts";
import type { EventLog } from "./event-log.ts";
import type { MeshPipeline } from "./mesh-pipeline.ts";

/** What the dashboard needs from outside the control plane. */
export interface DashboardSource {
  /** The built application. */
  readonly directory: string;
  /** Addresses of browsers that count as this machine's, beside its own. */
  readonly neighbours?: readonly string[];
  /** Says what a call would do; undefined: nobody can. May throw a `UserError`. */
  readonly explain?: (asked: AskedCall) => Promise<CallExplanation>;
  /** And of calls that were made, by their request id; as `explain`. */
  readonly explainRequest?: (requestId: string) => Promise<ObservedExplanations>;
  /** Jaeger's query service, where traces are read; undefined: there are none. */
  readonly jaegerUrl?: string;
}

export interface MeshDashboardOptions {
  readonly clock: Clock;
  readonly api: ControlApi;
  readonly pipeline: MeshPipeline;
  readonly events: EventLog;
  readonly sessions: DashboardSessions;
  /** Undefined: there are no pages. */
  readonly source: DashboardSource | undefined;
  readonly onError: (error: unknown) => void;
}

/** As short as agents' reports make sense of: they come every two seconds. */
const liveWindowMs = 10_000;
const failureWindowMs = 120_000;
const maxEvents = 400;

/** The dashboard's data: one hour of history, a live view for who watches, and answers about single things. */
export class MeshDashboard implements MeshQuestions {
  readonly #options: MeshDashboardOptions;
  readonly #history: SignalHistory;
  readonly #feed: DashboardFeed;
  #timer: Timer | undefined;

  constructor(options: MeshDashboardOptions) {
    const { clock, onError } = options;
    this.#options = options;
    this.#history = new SignalHistory({ clock });
    this.#feed = new DashboardFeed({ clock, read: () => this.#view(), onError });
  }

  /** The pages, for those whom a listener lets in. */
  serve(access: Pick<DashboardOptions, "authenticate" | "admit">): ReturnType<typeof serveDashboard> {
    const { sessions, source, onError } = this.#options;
    const directory = source?.directory ?? "";
    return serveDashboard({ ...access, directory, sessions, feed: this.#feed, onError });
  }

  /** From here on history is written. */
  start(): void {
    this.#timer = this.#options.clock.setTimer(() => {
      try {
        this.#record();
      } catch (error) {
        this.#options.onError(error);
      }
      this.start();
    }, historyStepMs);
  }

  close(): void {
    this.#timer?.cancel();
    this.#feed.close();
  }

  #view(): DashboardView {
    const { api, pipeline, events } = this.#options;
    const status = api.status();
    const signals = api.signalsInput(liveWindowMs);
    return buildView({
      signals,
      mesh: pipeline.current.mesh,
      workloads: status.workloads,
      proxies: status.proxies,
      problems: status.diagnostics,
      events: events.since(0).slice(-maxEvents),
      about: {
        atMs: status.nowMs,
        startedAtMs: status.startedAtMs,
        version: status.version,
        revision: status.revision,
        windowSeconds: liveWindowMs / 1000,
        droppedSeries: api.droppedSeries,
        rootNotAfterMs: api.caStatus().rootNotAfterMs,
        hasTraces: this.#options.source?.jaegerUrl !== undefined,
        convergenceP99Ms: status.convergence.p99Ms,
      },
    });
  }

  #record(): void {
    const signals = this.#options.api.signalsInput(historyStepMs);
    const { mesh, saturation, services, versions, edges } = readSignals(signals);
    this.#history.record("mesh", mesh.signals(), mesh.durations, saturation.loopUtilization);
    for (const [id, group] of services) {
      const row = group.row(signals.nowMs);
      this.#history.record(`service:${id}`, row, group.durations, row.loopUtilization);
    }
    for (const [id, group] of versions) this.#history.record(`version:${id}`, group.row(signals.nowMs));
    for (const [id, { tally }] of edges) this.#history.record(`edge:${id}`, tally.signals());
    this.#history.expire();
  }

  trace(id: string): Promise<TraceReport> {
    const { jaegerUrl } = this.#options.source ?? {};
    if (jaegerUrl === undefined) throw new ApiRefusal(404, { error: "no tracing system was named" });
    return readTrace(jaegerUrl, id);
  }

  histories(ids: readonly string[]): HistoryList {
    return { histories: ids.map((id) => this.#history.report(id) ?? null) };
  }

  explain(asked: AskedCall): Promise<CallExplanation> {
    return this.#explained(this.#options.source?.explain?.(asked));
  }

  explainRequest(requestId: string): Promise<ObservedExplanations> {
    return this.#explained(this.#options.source?.explainRequest?.(requestId));
  }

  async #explained<T>(answer: Promise<T> | undefined): Promise<T> {
    if (!answer) throw new ApiRefusal(404, { error: "this control plane explains no calls" });
    try {
      return await answer;
    } catch (error) {
      if (error instanceof UserError) throw new ApiRefusal(400, { error: error.message, hint: error.hint });
      throw error;
    }
  }

  async service(hostname: string): Promise<ServiceDetail> {
    const { mesh } = this.#options.pipeline.current;
    const service = mesh.services.get(hostname);
    if (!service) throw new ApiRefusal(404, { error: `there is no service ${hostname.slice(0, 200)}` });
    const detail = serviceDetail(mesh, service);
    const { namespace, name } = service;
    const signals = this.#options.api.signalsInput(failureWindowMs);
    const failures = failingCalls(signals, { ...detail, namespace, name });
    const to = service.isExternal ? hostname : `${name}.${namespace}`;
    const remembered = await this.#options.api.recall({ to, statusMin: 400, limit: 100 });
    return { ...detail, failures, recentFailures: recentFailures(remembered) };
  }
}

/** An address that opens the dashboard once. @throws UserError while nothing listens. */
export function openDashboard(
  sessions: DashboardSessions,
  caller: Caller,
  origin: string | undefined,
  clock: Clock,
): DashboardLogin {
  if (origin === undefined) throw new UserError("the control plane is still starting", { hint: "try again" });
  const { code, ttlMs } = sessions.createCode(caller);
  return { url: `${origin}${dashboardPath}login?code=${code}`, expiresAtMs: clock.now() + ttlMs };
}
