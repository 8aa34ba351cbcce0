import { MetricRegistry } from "@weft/base/metric-registry";
import type { ClusterPlan, EndpointAssignment } from "../cluster/cluster-plan.ts";
import type { RouteHolder } from "../config/decode-context.ts";
import type { Decoded, ResourceDecoder } from "../config/resource-decoder.ts";
import { inlineRouteTexts, type RouteTexts, routeTexts } from "../config/route-texts.ts";
import { parseSourcedKey } from "../config/sourced-name.ts";
import { isRbacFilter } from "../filters/rbac.ts";
import { DrainState } from "../layer/drain-state.ts";
import { HttpService } from "../layer/http-service.ts";
import { AcceptedConnection } from "../listener/accepted-connection.ts";
import { createDownstreamStats } from "../listener/downstream-stats.ts";
import { FilterChainMatcher } from "../listener/filter-chain-matcher.ts";
import { listenerFor } from "../listener/listener-for.ts";
import type { FilterChainPlan, HttpConnectionPlan, ListenerPlan } from "../listener/listener-plan.ts";
import { formatAddress } from "../net/socket-address.ts";
import { Timers } from "../net/timers.ts";
import { unobserved } from "../observe/observation.ts";
import { neverOverloaded } from "../overload/overload-state.ts";
import { noRouteTrace, type RouteTable } from "../route/route-plan.ts";
import { EnvoyStats } from "../telemetry/envoy-stats.ts";
import type { CallTrace, DryCall, HttpShare } from "./call-trace.ts";
import { clusterShares } from "./cluster-shares.ts";
import { DryClock } from "./dry-clock.ts";
import { dryDecoder } from "./dry-decoder.ts";
import { DryRouter, dryExchange, judge } from "./dry-exchange.ts";

export type DryResourceType = "listener" | "route" | "cluster" | "endpoint";

/**
 * Gives the resources that the control plane makes for one proxy, encoded;
 * undefined where there is none of that name. Of routes those are enough that
 * requests for `host` can take.
 */
export type ResourceSource = (
  type: DryResourceType,
  name: string,
  host: string | undefined,
) => Promise<Uint8Array | undefined>;

/** Faults of less than all requests are not injected; of shares of requests the last is taken first. */
const unlucky = 1 - 2 ** -34;

/** What is decoded is kept, up to so many resources: hosts of recorded calls may be any. */
const maxDecoded = 4096;

type DecodedListener = Decoded<ListenerPlan>;

/**
 * A proxy that is asked what it would do: it decodes what a real one is given,
 * by the same decoder, and takes connections and requests through the same
 * matchers and filters, with neither sockets nor time behind them. What it
 * needs is fetched and decoded once, when it is first asked about.
 */
export class DryProxy {
  readonly #source: ResourceSource;
  readonly #clock = new DryClock();
  readonly #asked: string[] = [];
  /** What the next request draws among routes. */
  #draw = unlucky;
  readonly #holders = new Map<string, RouteHolder>();
  readonly #decoder: ResourceDecoder;
  readonly #context: ConstructorParameters<typeof HttpService>[1];
  readonly #stats = createDownstreamStats(new EnvoyStats(new MetricRegistry()));
  readonly #decoded = new Map<string, Promise<Decoded<unknown> | undefined>>();
  readonly #services = new Map<FilterChainPlan, HttpService>();

  constructor(source: ResourceSource) {
    this.#source = source;
    const random = () => this.#draw;
    this.#decoder = dryDecoder({
      clock: this.#clock,
      random: () => unlucky,
      onCallout: (cluster) => this.#asked.push(cluster),
      routeHolder: (key) => this.#holder(key),
    });
    const clock = new DryClock();
    const timers = new Timers(clock);
    const onFault = (error: unknown) => {
      throw error;
    };
    this.#context = {
      clock,
      timers,
      random,
      onFault,
      observation: unobserved(),
      forwarder: new DryRouter({ timers, onFault }),
      overload: neverOverloaded,
      drain: new DrainState(clock, random, "gradual"),
    };
  }

  /** Takes a call as far as this proxy would: to where it is refused, answered or sent on. */
  async call(call: DryCall): Promise<CallTrace> {
    const listener = await this.#listenerOf(call);
    const nothing: CallTrace = {
      listener: listener && { name: listener.plan.name, origin: listener.plan.origin },
      chain: undefined,
      refusal: undefined,
      policies: [],
      http: undefined,
      shares: [],
      tcp: undefined,
    };
    if (!listener) return nothing;
    const { chains, chainChoice, defaultChain } = listener.plan;
    const chain = new FilterChainMatcher(chains, chainChoice).find(call.facts) ?? defaultChain;
    if (!chain) return nothing;
    const connection = connectionOf(call, chain);
    const met = { ...nothing, chain: { name: chain.name, isTls: chain.tls !== undefined } };
    const refusal = handshakeRefusal(call, chain) ?? networkRefusal(connection, chain);
    const networkPolicies = judge(chain.networkFilters.filter(isRbacFilter), connection, undefined);
    if (refusal !== undefined) return { ...met, refusal, policies: networkPolicies };
    const { terminal } = chain;
    switch (terminal.kind) {
      case "tcp": {
        const { shares } = clusterShares((random) => terminal.selectCluster(random));
        return { ...met, policies: networkPolicies, tcp: shares };
      }
      case "http": {
        if (!call.request) return { ...met, policies: networkPolicies };
        const textsOf = await this.#routesOf(terminal, listener, call.request.authority);
        const service = this.#service(chain, terminal, listener);
        const { request } = call;
        const draw = (random: number) => {
          this.#draw = random;
          const run = { clock: this.#clock, random, asked: this.#asked };
          return dryExchange(service, connection, request, run, textsOf);
        };
        const first = draw(unlucky);
        const all = first.draws.map(({ random, share }) => ({
          share,
          ...(first.draws.length > 1 ? draw(random) : first),
        }));
        const main = mainOf(all);
        const shares = all.map(({ share, http }) => ({ share, http }));
        return { ...met, http: main.http, shares, policies: [...networkPolicies, ...main.policies] };
      }
      default:
        return { ...met, policies: networkPolicies, refusal: "answered by the listener itself" };
    }
  }

  cluster(name: string): Promise<ClusterPlan | undefined> {
    return this.#get<ClusterPlan>("cluster", name).then((decoded) => decoded?.plan);
  }

  endpoints(name: string): Promise<EndpointAssignment | undefined> {
    return this.#get<EndpointAssignment>("endpoint", name).then((decoded) => decoded?.plan);
  }

  async #listenerOf({ listener: name, handedTo, facts }: DryCall): Promise<DecodedListener | undefined> {
    const first = await this.#get<ListenerPlan>("listener", name);
    if (!first?.plan.useOriginalDst) return first;
    const byAddress = new Map<string, DecodedListener>();
    for (const other of handedTo) {
      const decoded = await this.#get<ListenerPlan>("listener", other);
      for (const address of decoded?.plan.addresses ?? []) byAddress.set(formatAddress(address), decoded!);
    }
    return listenerFor(facts.local, byAddress) ?? first;
  }

  /** Puts the route table of a connection manager in force, and tells how its routes were written. */
  async #routesOf(plan: HttpConnectionPlan, listener: DecodedListener, host: string): Promise<RouteTexts> {
    const key = [...this.#holders].find(([, holder]) => holder === plan.routes)?.[0];
    if (key === undefined) return inlineRouteTexts(listener.written.message, plan.routes.current?.name);
    const routes = await this.#get<RouteTable>("route", parseSourcedKey(key).name, host);
    this.#holders.get(key)!.current = routes?.plan ?? noRoutes;
    return routeTexts(routes?.written.message);
  }

  #service(
    chain: FilterChainPlan,
    plan: HttpConnectionPlan,
    { plan: listener }: DecodedListener,
  ): HttpService {
    let service = this.#services.get(chain);
    if (!service) {
      const stats = this.#stats.http(plan.statPrefix);
      const answers = this.#stats.answers(listener.name, plan.statPrefix);
      service = new HttpService(plan, this.#context, stats, answers, listener);
      this.#services.set(chain, service);
    }
    return service;
  }

  #holder(key: string): RouteHolder {
    let holder = this.#holders.get(key);
    if (!holder) {
      holder = { current: undefined };
      this.#holders.set(key, holder);
    }
    return holder;
  }

  #get<Plan>(type: DryResourceType, name: string, host?: string): Promise<Decoded<Plan> | undefined> {
    const key = host === undefined ? `${type} ${name}` : `${type} ${name} for ${host}`;
    let decoded = this.#decoded.get(key);
    if (!decoded) {
      if (this.#decoded.size >= maxDecoded) this.#decoded.clear();
      decoded = this.#source(type, name, host).then((body) => body && this.#decode(type, body));
      this.#decoded.set(key, decoded);
    }
    return decoded as Promise<Decoded<Plan> | undefined>;
  }

  #decode(type: DryResourceType, body: Uint8Array): Decoded<unknown> {
    switch (type) {
      case "listener":
        return this.#decoder.listener(body);
      case "route":
        return this.#decoder.routes(body);
      case "cluster":
        return this.#decoder.cluster(body);
      case "endpoint":
        return this.#decoder.endpoints(body);
    }
  }
}

/** The largest that is sent on, else the largest. */
function mainOf<Share extends HttpShare>(shares: readonly Share[]): Share {
  const sent = shares.filter(({ http }) => http.forward);
  return (sent.length > 0 ? sent : shares).reduce((best, one) => (one.share > best.share ? one : best));
}

const noRoutes: RouteTable = { name: "", match: () => undefined, trace: () => noRouteTrace };

function connectionOf({ facts, peer }: DryCall, chain: FilterChainPlan): AcceptedConnection {
  const alpn = facts.applicationProtocols[0] ?? "";
  const tls = { peer, ownUris: [], alpn, version: "TLSv1.3", cipher: "" };
  return new AcceptedConnection(facts, chain.tls ? tls : undefined, 0);
}

function handshakeRefusal({ facts, peer }: DryCall, { tls }: FilterChainPlan): string | undefined {
  if (!tls) return undefined;
  if (facts.transportProtocol !== "tls") return "the connection has no TLS, and only TLS is taken here";
  if (tls.requireClientCertificate && !peer) return "the client shows no certificate";
  if (peer && tls.matchesSan && !tls.matchesSan(peer)) return "the client's name is not accepted";
  return undefined;
}

function networkRefusal(connection: AcceptedConnection, chain: FilterChainPlan): string | undefined {
  const refusing = chain.networkFilters.find((filter) => !filter.onConnection(connection));
  return refusing && (connection.terminationDetails || refusing.name);
}
