import { Http1Pool } from "../http1/pool.ts";
import { Http2Pool } from "../http2/pool.ts";
import type { MadeConnection, PoolContext } from "../layer/pending-connection.ts";
import type { PoolRequester, UpstreamPool } from "../layer/upstream-pool.ts";
import type { Breakers, Cluster, Endpoint } from "./cluster.ts";

/** The name of HTTP/2 over TLS in ALPN (RFC 9113 §3.3). */
const http2Name = "h2";
const spoken = [http2Name, "http/1.1"];

/**
 * The connections to an endpoint that says itself what it speaks: HTTP/2 where
 * ALPN agrees on it, else HTTP/1.1, which is also what endpoints without TLS get.
 *
 * What the last new connection agreed on holds for new requests, so that a peer
 * that was replaced by one of other abilities is followed. Until the first is
 * made, requests wait for one connection rather than each making its own.
 *
 * @see envoy.extensions.upstreams.http.v3.HttpProtocolOptions.AutoHttpConfig
 */
export class NegotiatedPool implements UpstreamPool {
  readonly #endpoint: Endpoint;
  readonly #http1: Http1Pool;
  readonly #http2: Http2Pool;
  #agreed: Http1Pool | Http2Pool;

  constructor(endpoint: Endpoint, cluster: Cluster, context: PoolContext) {
    this.#endpoint = endpoint;
    this.#http1 = new Http1Pool(endpoint, cluster, context, {
      spoken,
      decide: (made) => (made.alpn === http2Name ? this.#hand(made, this.#http2) : undefined),
    });
    this.#http2 = new Http2Pool(endpoint, cluster, context, {
      spoken,
      decide: (made) => (made.alpn === http2Name ? undefined : this.#hand(made, this.#http1)),
    });
    this.#agreed = this.#http2;
  }

  request(requester: PoolRequester, breakers: Breakers, isFresh: boolean): void {
    const pool = this.#endpoint.tls ? this.#agreed : this.#http1;
    pool.request(requester, breakers, isFresh);
  }

  cancel(requester: PoolRequester): void {
    this.#http1.cancel(requester);
    this.#http2.cancel(requester);
  }

  drain(): void {
    this.#http1.drain();
    this.#http2.drain();
  }

  #hand(made: MadeConnection, pool: Http1Pool | Http2Pool): UpstreamPool {
    this.#agreed = pool;
    pool.adopt(made);
    return pool;
  }
}
