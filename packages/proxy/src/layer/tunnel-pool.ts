import type { Breakers, Cluster, Endpoint } from "../cluster/cluster.ts";
import type { Connection } from "../net/connection.ts";
import type { CloseCause, ConnectionHandler } from "../net/connection-handler.ts";
import { ConnectionAccount } from "./connection-account.ts";
import { HeaderList } from "./header-list.ts";
import {
  type ConnectionOwner,
  type MadeConnection,
  PendingConnection,
  type PoolContext,
} from "./pending-connection.ts";
import type { ClientStream, ResponseReceiver } from "./stream.ts";
import type { PoolRequester, UpstreamPool } from "./upstream-pool.ts";

const nothing = Buffer.alloc(0);

/**
 * Connections for CONNECT requests that end here: each has its own, which
 * carries the tunnel's bytes and nothing else.
 *
 * @see envoy.config.route.v3.RouteAction.UpgradeConfig.ConnectConfig
 */
export class TunnelPool implements UpstreamPool, ConnectionOwner {
  readonly endpoint: Endpoint;
  readonly cluster: Cluster;
  readonly context: PoolContext;
  /** Whatever the tunnel is for. */
  readonly spoken: readonly string[] = [];
  readonly #waiting = new Map<PendingConnection, PoolRequester>();

  constructor(endpoint: Endpoint, cluster: Cluster, context: PoolContext) {
    this.endpoint = endpoint;
    this.cluster = cluster;
    this.context = context;
  }

  request(requester: PoolRequester, breakers: Breakers): void {
    if (!breakers.connections.tryAcquire()) {
      requester.onStreamFailed("overflow", "", false);
      return;
    }
    const pending = new PendingConnection(this, breakers);
    this.#waiting.set(pending, requester);
    pending.start();
  }

  /** The connection is still made, and closed then. */
  cancel(requester: PoolRequester): void {
    for (const [pending, waiting] of this.#waiting) if (waiting === requester) this.#waiting.delete(pending);
  }

  /** Nothing is kept idle. */
  drain(): void {}

  onConnected(pending: PendingConnection, made: MadeConnection): void {
    const requester = this.#waiting.get(pending);
    this.#waiting.delete(pending);
    const account = new ConnectionAccount(made, this.cluster.stats);
    const stream = new TunnelStream(made.connection, requester ?? nobody, account);
    if (requester) requester.onStreamReady(stream, made.info);
    else stream.reset();
  }

  onConnectFailed(pending: PendingConnection, isTimeout: boolean, transport: string, isTls: boolean): void {
    const requester = this.#waiting.get(pending);
    this.#waiting.delete(pending);
    const { stats } = this.cluster;
    stats.cxConnectFail.value += 1;
    if (isTimeout) stats.cxConnectTimeout.value += 1;
    requester?.onStreamFailed(isTimeout ? "connect-timeout" : "connection-failure", transport, isTls);
  }
}

const nobody: ResponseReceiver = {
  onInformational() {},
  onResponseHead() {},
  onResponseData() {},
  onResponseTrailers() {},
  onResponseReset() {},
  onRequestWritable() {},
};

/** One tunnel: the request's data goes to the upstream as it is, and what comes back is the response's. */
class TunnelStream implements ClientStream, ConnectionHandler {
  readonly isFirstOnConnection = true;
  hasResponseBytes = false;
  readonly #connection: Connection;
  readonly #receiver: ResponseReceiver;
  readonly #account: ConnectionAccount;
  #isOver = false;
  #hasSentAll = false;

  constructor(connection: Connection, receiver: ResponseReceiver, account: ConnectionAccount) {
    this.#connection = connection;
    this.#receiver = receiver;
    this.#account = account;
  }

  get isWritable(): boolean {
    return this.#connection.isWritable;
  }

  /** The client asked for a connection, and there is one. */
  sendHead(): void {
    this.#receiver.onResponseHead({ status: 200, headers: new HeaderList() }, false);
    if (!this.#isOver) this.#connection.start(this);
  }

  sendData(chunk: Buffer, end: boolean): void {
    if (this.#isOver || this.#hasSentAll) return;
    if (chunk.length > 0) this.#connection.write(chunk);
    if (end) this.sendTrailers();
  }

  sendTrailers(): void {
    this.#hasSentAll = true;
    this.#connection.end();
  }

  reset(): void {
    this.#isOver = true;
    this.#connection.start(this);
    this.#connection.destroy();
  }

  pauseResponse(): void {
    this.#connection.pause();
  }

  resumeResponse(): void {
    this.#connection.resume();
  }

  onRead(bytes: Buffer, start: number, end: number): void {
    this.hasResponseBytes = true;
    if (!this.#isOver) this.#receiver.onResponseData(bytes.subarray(start, end), false);
  }

  onEnd(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#receiver.onResponseData(nothing, true);
    this.#connection.closeGracefully();
  }

  onWritable(): void {
    if (!this.#isOver) this.#receiver.onRequestWritable();
  }

  onClosed(cause: CloseCause): void {
    this.#account.close(cause.kind === "local", 1, !this.#isOver);
    if (this.#isOver) return;
    this.#isOver = true;
    this.#receiver.onResponseReset("connection-termination", false);
  }
}
