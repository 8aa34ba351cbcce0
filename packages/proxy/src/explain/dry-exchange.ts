import type { RouteTexts } from "../config/route-texts.ts";
import type { CallTarget } from "../filters/call-target.ts";
import { faultFilterName, hasFaultFor } from "../filters/fault.ts";
import type { FaultPlan } from "../filters/fault-plan.ts";
import { prepareRequestHead, prepareResponseHead } from "../filters/forwarded-heads.ts";
import { isRbacFilter, type RbacFilter } from "../filters/rbac.ts";
import { limitsOf, retryOf, takeInstructions } from "../filters/request-instructions.ts";
import { isUpgradeAllowed, Router } from "../filters/router.ts";
import type { RouterPlan } from "../filters/router-plan.ts";
import { routeConfigOf } from "../layer/filter-chain.ts";
import type { Forwarder, UpstreamCall } from "../layer/forwarder.ts";
import { HeaderList } from "../layer/header-list.ts";
import { HttpExchange } from "../layer/http-exchange.ts";
import type { HttpService } from "../layer/http-service.ts";
import type { RequestHead } from "../layer/message.ts";
import { prepareRequest } from "../layer/request-preparation.ts";
import { formatResponseFlags } from "../layer/response-flag.ts";
import type { ServerStream } from "../layer/stream.ts";
import type { AcceptedConnection } from "../listener/accepted-connection.ts";
import type { ForwardAction, RouteMatch } from "../route/route-plan.ts";
import type { DryReply, DryRequest, Forwarding, HttpTrace, MissText, PolicyTrace } from "./call-trace.ts";
import { clusterShares } from "./cluster-shares.ts";
import { drawShares } from "./draw-shares.ts";
import type { DryClock } from "./dry-clock.ts";

/** Filters that hold a request may do so this often. */
const maxWaits = 16;
const maxShownBody = 4096;

/** What runs exchanges without a network. */
export interface DryRun {
  readonly clock: DryClock;
  /** What is drawn for the choice among routes. */
  readonly random: number;
  /** Clusters that filters ask, added as they do. */
  readonly asked: string[];
}

export interface DryOutcome {
  readonly http: HttpTrace;
  readonly policies: readonly PolicyTrace[];
  /** Draws that come to different routes, with their shares of all; one where chance decides nothing. */
  readonly draws: readonly { readonly random: number; readonly share: number }[];
}

/**
 * Takes one request through a connection manager as it is: preparation, route,
 * every filter, and the router up to where the request would be sent.
 */
export function dryExchange(
  service: HttpService,
  connection: AcceptedConnection,
  request: DryRequest,
  run: DryRun,
  textsOf: RouteTexts,
): DryOutcome {
  const { plan } = service;
  const seen = headOf(request);
  prepareRequest(seen, connection, plan);
  run.asked.length = 0;
  const startMs = run.clock.monotonicMs();
  const stream = new RecordingStream();
  const exchange = new HttpExchange(
    service,
    { onExchangeOver() {}, onRedirected() {} },
    connection,
    stream,
    headOf(request),
    request.protocol,
    0,
  );
  let forward: Forwarding | undefined;
  let policies: PolicyTrace[] | undefined;
  const judged = () => judge(plan.filters.filter(isRbacFilter), connection, exchange);
  forwarding.set(exchange, (prepare) => {
    // Before the route changes what policies have judged.
    policies = judged();
    forward = prepare();
  });
  exchange.begin(true);
  for (let i = 0; i < maxWaits && !forward && !exchange.isOver && run.asked.length === 0; i++) {
    if (!run.clock.fireNext()) break;
  }
  const reply = exchange.isLocalReply ? replyOf(exchange, stream) : undefined;
  const { match } = exchange;
  const table = plan.routes.current!;
  const routes = table.trace(seen, run.random, exchange);
  const isDrawn = routes.misses.some(({ failed }) => failed === "fraction");
  const texts = textsOf(routes.virtualHost?.name);
  const http: HttpTrace = {
    routes,
    routeTable: table.name,
    misses: routes.misses.map((miss): MissText => {
      const route = texts[miss.index]!;
      if (miss.failed === "fraction") return { miss, wanted: "a share of requests", found: "another one" };
      const text = miss.failed === "path" ? route.path : route.conditions[miss.failed]!;
      return { miss, wanted: text.text, found: text.found(seen) };
    }),
    conditions:
      routes.index === undefined ? [] : [texts[routes.index]!.path, ...texts[routes.index]!.conditions],
    seen,
    reply,
    forward,
    asked: [...run.asked],
    fault: faultOf(exchange, match),
    delayedMs: run.clock.monotonicMs() - startMs,
  };
  const outcome: DryOutcome = {
    http,
    policies: policies ?? judged(),
    draws: isDrawn
      ? drawShares((random) => table.match(seen, random, exchange))
      : [{ random: run.random, share: 1 }],
  };
  if (!exchange.isOver) exchange.onRequestReset("remote-reset");
  return outcome;
}

/** What each filter of policies thinks of a request or, without one, of a connection. */
export function judge(
  filters: readonly RbacFilter[],
  connection: AcceptedConnection,
  exchange: HttpExchange | undefined,
): PolicyTrace[] {
  return filters.flatMap(({ name, engine }) => {
    const { action, enforced } = engine;
    if (action === undefined || !enforced) return [];
    const { isAllowed } = enforced(connection, exchange);
    return [{ filter: name, action, isAllowed, judgements: engine.judge(connection, exchange) }];
  });
}

/** Who wants to know that an exchange would be sent on, and how. */
const forwarding = new WeakMap<HttpExchange, (prepare: () => Forwarding) => void>();

/** The router, up to where it would look for an endpoint. */
export class DryRouter implements Forwarder {
  readonly #router: Router;
  readonly #pools: CallTarget["pools"];

  constructor(pools: CallTarget["pools"]) {
    this.#pools = pools;
    this.#router = new Router(noClusters, pools);
  }

  choose(exchange: HttpExchange, action: ForwardAction): void {
    this.#router.choose(exchange, action);
  }

  forward(exchange: HttpExchange, plan: RouterPlan): UpstreamCall | undefined {
    const action = exchange.match?.route.action;
    const { upgrade } = exchange.request!;
    const isAnswer = action?.kind !== "forward" || (upgrade !== "" && !isUpgradeAllowed(exchange, upgrade));
    if (isAnswer) return this.#router.forward(exchange, plan);
    forwarding.get(exchange)?.(() => this.#prepare(exchange, action, plan));
    return noCall;
  }

  #prepare(exchange: HttpExchange, action: ForwardAction, plan: RouterPlan): Forwarding {
    const request = exchange.request!;
    const { shares, largest } = clusterShares((random) => action.selectCluster(request, random, exchange));
    const target = { action, choice: largest, plan, clusters: noClusters, pools: this.#pools };
    const asked = takeInstructions(request.headers);
    const limits = limitsOf(action, request, asked, plan.respectsExpectedTimeout ?? false);
    const retry = request.upgrade === "" ? retryOf(action.retry, request, asked) : undefined;
    const mirrors = (action.mirrors ?? []).flatMap((mirror) => {
      const cluster = mirror.clusterOf(request);
      return cluster === undefined ? [] : [{ cluster, share: mirror.fraction }];
    });
    prepareRequestHead(exchange, target, limits);
    const answer = { status: 200, headers: new HeaderList() };
    prepareResponseHead(exchange, target, answer, 0);
    answer.headers.remove("x-envoy-upstream-service-time");
    return { clusters: shares, mirrors, head: request, limits, retry, responseHeaders: answer.headers.flat };
  }
}

const noClusters = { get: () => undefined };

const noCall: UpstreamCall = {
  onRequestData() {},
  onRequestTrailers() {},
  onResponseWritable() {},
  cancel() {},
};

function headOf(request: DryRequest): RequestHead {
  const { method, path, authority, scheme, upgrade } = request;
  return { method, path, authority, scheme, upgrade, headers: new HeaderList([...request.headers]) };
}

function replyOf({ flags, details }: HttpExchange, { head, body }: RecordingStream): DryReply {
  return {
    status: head?.status ?? 0,
    flags: formatResponseFlags(flags),
    details,
    headers: head?.headers.flat ?? [],
    body,
  };
}

function faultOf(exchange: HttpExchange, match: RouteMatch | undefined): FaultPlan | undefined {
  const fault = match && routeConfigOf<FaultPlan>(exchange, faultFilterName);
  return fault && hasFaultFor(fault, exchange) ? fault : undefined;
}

/** Keeps the answer. */
class RecordingStream implements ServerStream {
  receiver: ServerStream["receiver"] = undefined as never;
  readonly isWritable = true;
  head: { readonly status: number; readonly headers: HeaderList } | undefined;
  body = "";

  respondInformational(): void {}

  respondHead(head: { readonly status: number; readonly headers: HeaderList }): void {
    this.head = head;
  }

  respondData(chunk: Buffer): void {
    if (this.body.length < maxShownBody) this.body += chunk.toString("utf8", 0, maxShownBody);
  }

  respondTrailers(): void {}
  reset(): void {}
  pauseRequest(): void {}
  resumeRequest(): void {}
}
