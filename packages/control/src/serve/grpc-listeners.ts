import type { Clock } from "@weft/base/clock";
import { peerChain } from "@weft/identity/peer-chain";
import type { AdsServer } from "@weft/xds/ads-server";
import type { PeerIdentity } from "@weft/xds/grpc/grpc-peer";
import { GrpcServer, type ServerTlsMaterial } from "@weft/xds/grpc/grpc-server";
import type { RequestHub } from "../observe/request-hub.ts";
import { type CreateCertificate, certificateRoute } from "./certificate-route.ts";
import { type AdmitOperator, type ClientStatus, clientStatusRoutes } from "./client-status-routes.ts";
import { type IssueJwtSvid, jwtSvidRoute } from "./jwt-svid-route.ts";
import { metricsRoute, type TakeMetrics } from "./metrics-route.ts";
import { type AdmitAgent, observeRoute } from "./observe-route.ts";

export interface GrpcListenersOptions {
  readonly clock: Clock;
  /** ADS without encryption, for what runs on this machine. Absent: there is none. */
  readonly plain?: { readonly host: string; readonly port: number };
  /** ADS, certificates and metrics over TLS. */
  readonly secure: { readonly host: string; readonly port: number };
  /** What `secure` serves at first; `setTls` replaces it. */
  readonly tls: ServerTlsMaterial;
  readonly ads: AdsServer;
  /** Who presented this chain (DER, leaf first), by the trust bundle of now. @throws when it proves nothing. */
  identifyPeer(chain: readonly Buffer[]): PeerIdentity;
  readonly createCertificate: CreateCertificate;
  readonly issueJwtSvid: IssueJwtSvid;
  readonly takeMetrics: TakeMetrics;
  /** Where agents show requests, each of its own workload. */
  readonly requests: RequestHub;
  readonly admitAgent: AdmitAgent;
  readonly clientStatus: ClientStatus;
  /** Who may ask for `clientStatus`, over TLS only. */
  readonly admitOperator: AdmitOperator;
  /** A bug in a handler; its call has ended with INTERNAL. */
  onError(error: unknown): void;
}

/** More than the mesh's largest request, a reconnecting sidecar's list of all it holds. */
const maxMessageBytes = 4 << 20;
/** A sidecar has one stream; an agent a stream and now and then a certificate or metrics. */
const maxStreamsPerConnection = 32;
/** Two rounds decide, so that a host that vanished is noticed within 3 s and its lease ends within 5 s and the grace. */
const liveness = { intervalMs: 1_500, idleMs: 60_000 };

/**
 * The control plane's gRPC servers. Certificates and metrics are only offered
 * over TLS: a join token or a workload's identity on a plain connection would be
 * anybody's.
 */
export class GrpcListeners {
  readonly plainPort: number | undefined;
  readonly securePort: number;
  readonly #ads: AdsServer;
  readonly #plain: GrpcServer | undefined;
  readonly #secure: GrpcServer;

  private constructor(parts: {
    readonly ads: AdsServer;
    readonly plain: GrpcServer | undefined;
    readonly plainPort: number | undefined;
    readonly secure: GrpcServer;
    readonly securePort: number;
  }) {
    this.#ads = parts.ads;
    this.#plain = parts.plain;
    this.plainPort = parts.plainPort;
    this.#secure = parts.secure;
    this.securePort = parts.securePort;
  }

  /** Binds both. @throws UserError naming the address that cannot be had; then nothing stays bound. */
  static async open(options: GrpcListenersOptions): Promise<GrpcListeners> {
    const { ads, clock, tls, onError } = options;
    const limits = { clock, onError, maxMessageBytes, maxStreamsPerConnection, liveness };
    const adsRoutes = ads.routes("aggregated");
    const secure = new GrpcServer({
      ...limits,
      routes: [
        ...adsRoutes,
        certificateRoute(options.createCertificate),
        jwtSvidRoute(options.issueJwtSvid),
        metricsRoute(options.takeMetrics),
        observeRoute(options.requests, options.admitAgent),
        ...clientStatusRoutes(options.clientStatus, options.admitOperator),
      ],
      tls,
      identify: (socket) => options.identifyPeer(peerChain(socket)),
    });
    const { port: securePort } = await secure.listen(options.secure);
    if (!options.plain)
      return new GrpcListeners({ ads, plain: undefined, plainPort: undefined, secure, securePort });
    const plain = new GrpcServer({ ...limits, routes: adsRoutes });
    try {
      const { port: plainPort } = await plain.listen(options.plain);
      return new GrpcListeners({ ads, plain, plainPort, secure, securePort });
    } catch (error) {
      await secure.close();
      throw error;
    }
  }

  /** Connections over TLS and plain. */
  get connections(): number {
    return this.#secure.connections + (this.#plain?.connections ?? 0);
  }

  /** For handshakes from now on; streams that are open stay open. */
  setTls(material: ServerTlsMaterial): void {
    this.#secure.setTlsMaterial(material);
  }

  /** Ends every connection of an identity. */
  drop(identity: string): void {
    this.#secure.dropPeers(({ spiffeId }) => spiffeId === identity);
  }

  /** Tells every client to go elsewhere, and ends what is left after `graceMs`. */
  async close(graceMs = 0): Promise<void> {
    this.#ads.close();
    await Promise.all([this.#secure.close(graceMs), this.#plain?.close(graceMs)]);
  }
}
