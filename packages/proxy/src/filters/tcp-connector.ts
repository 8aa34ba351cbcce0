import type { Timer } from "@weft/base/clock";
import type { AttemptOutcome, Breakers, Cluster, Endpoint, PickContext } from "../cluster/cluster.ts";
import { requestHash } from "../cluster/request-hash.ts";
import { serverNameOf } from "../cluster/server-name.ts";
import { plainAddress } from "../net/cidr.ts";
import type { Connecting } from "../net/connect.ts";
import { connectedAddress, connectInTurn } from "../net/connect-in-turn.ts";
import { Connection } from "../net/connection.ts";
import { keepAlive } from "../net/tcp-keepalive.ts";
import { TimerEntry, type TimerOwner } from "../net/timers.ts";
import { proxyHeaderFor } from "../net/upstream-proxy-protocol.ts";
import type { TcpExchange } from "./tcp-exchange.ts";
import type { TcpService } from "./tcp-service.ts";
import { backoffMs, type TcpConnectorEvents, type TcpUpstreamSource } from "./tcp-upstream.ts";

const connectTimer = 0;
const connected: AttemptOutcome = { kind: "connected" };
const localFailure: AttemptOutcome = { kind: "local-origin-failure" };

/**
 * Finds an upstream for a TCP connection: endpoint after endpoint until one
 * accepts, the plan's attempts are used up, or the owner cancels. Holds the
 * connection breaker from `start` to `release`.
 */
export class TcpConnector implements TcpUpstreamSource, TimerOwner {
  readonly #service: TcpService;
  readonly #exchange: TcpExchange;
  readonly #cluster: Cluster;
  readonly #subset: PickContext["subset"];
  readonly #events: TcpConnectorEvents;
  readonly #timer = new TimerEntry(this, connectTimer);
  #breakers: Breakers | undefined;
  #connecting: Connecting | undefined;
  #backoff: Timer | undefined;
  #endpoint: Endpoint | undefined;
  #madeMs: number | undefined;

  constructor(
    service: TcpService,
    exchange: TcpExchange,
    cluster: Cluster,
    subset: PickContext["subset"],
    events: TcpConnectorEvents,
  ) {
    this.#service = service;
    this.#exchange = exchange;
    this.#cluster = cluster;
    this.#subset = subset;
    this.#events = events;
  }

  start(): void {
    const breakers = this.#cluster.breakers("default");
    if (!breakers.connections.tryAcquire()) {
      this.#events.onFailed("resource_limit_exceeded");
      return;
    }
    this.#breakers = breakers;
    this.#attempt();
  }

  /** Gives up what is under way; no event follows. */
  cancel(): void {
    this.#timer.stop();
    this.#backoff?.cancel();
    this.#connecting?.cancel();
    this.#connecting = undefined;
  }

  /** The connection is over: another may take its place under the breaker. */
  release(): void {
    this.#breakers?.connections.release();
    this.#breakers = undefined;
    if (this.#madeMs === undefined) return;
    const { stats } = this.#cluster;
    stats.connections().onOver(this.#service.context.clock.monotonicMs() - this.#madeMs);
    this.#madeMs = undefined;
    this.#endpoint!.activeRequests -= 1;
    stats.cxActive.value -= 1;
    stats.cxRxBytes.value += this.#exchange.bytesSent;
    stats.cxTxBytes.value += this.#exchange.bytesReceived;
  }

  onTimer(): void {
    this.#connecting?.cancel();
    this.#cluster.stats.cxConnectTimeout.value += 1;
    this.#failed("connection timeout");
  }

  #attempt(): void {
    const cluster = this.#cluster;
    const exchange = this.#exchange;
    const { timers, clock } = this.#service.context;
    const endpoint = cluster.pick({
      subset: this.#subset,
      hash: requestHash(cluster.plan.balancer, this.#service.plan.hashPolicy, exchange),
      originalDestination: exchange.connection.local,
      avoid: undefined,
    });
    if (!endpoint) {
      cluster.stats.cxNoneHealthy.value += 1;
      this.#events.onFailed("no_healthy_upstream");
      return;
    }
    this.#endpoint = endpoint;
    exchange.endpoint = endpoint;
    exchange.attempts += 1;
    const startMs = clock.monotonicMs();
    timers.start(this.#timer, cluster.plan.connectTimeoutMs, startMs);
    const { tls } = endpoint;
    this.#connecting = connectInTurn(
      endpoint,
      {
        tls,
        serverName: serverNameOf(endpoint),
        localAddresses: cluster.plan.bindAddresses,
        preface: endpoint.proxyProtocol && proxyHeaderFor(endpoint.proxyProtocol, exchange.connection),
        timers,
      },
      {
        onAttempt: () => {
          cluster.stats.cxTotal.value += 1;
        },
        onConnected: (socket, peer) => {
          this.#timer.stop();
          this.#connecting = undefined;
          const { localAddress, localPort } = socket;
          exchange.upstreamPeer = peer;
          exchange.upstreamRemote = connectedAddress(endpoint, socket);
          if (localAddress !== undefined) {
            exchange.upstreamLocal = { kind: "ip", host: plainAddress(localAddress), port: localPort ?? 0 };
          }
          cluster.report(endpoint, connected);
          this.#madeMs = clock.monotonicMs();
          cluster.stats.connections().onMade(this.#madeMs - startMs);
          endpoint.activeRequests += 1;
          cluster.stats.cxActive.value += 1;
          if (cluster.plan.tcpKeepalive) keepAlive(socket, cluster.plan.tcpKeepalive);
          const { onFault } = this.#service.context;
          const { bufferLimitBytes } = cluster.plan;
          this.#events.onConnected(new Connection(socket, { timers, bufferLimitBytes, onFault }));
        },
        onFailed: (_reason, message, transport) =>
          this.#failed(transport || (message && `delayed connect error: ${message}`)),
      },
    );
  }

  #failed(message: string): void {
    const cluster = this.#cluster;
    const { plan, context } = this.#service;
    this.#timer.stop();
    this.#connecting = undefined;
    cluster.stats.cxConnectFail.value += 1;
    cluster.report(this.#endpoint!, localFailure);
    this.#exchange.upstreamTransportFailure = message;
    const { attempts } = this.#exchange;
    if (attempts >= plan.maxConnectAttempts) {
      cluster.stats.cxConnectAttemptsExceeded.value += 1;
      this.#events.onFailed("connect_failed");
    } else if (!plan.backoff) this.#attempt();
    else {
      const delayMs = backoffMs(plan.backoff, attempts, context.random());
      this.#backoff = context.clock.setTimer(() => this.#attempt(), delayMs);
    }
  }
}
