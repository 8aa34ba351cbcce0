import type { Clock, Timer } from "@weft/base/clock";
import type { SocketAddress } from "../net/socket-address.ts";
import type { EndpointPlan } from "./cluster-plan.ts";
import type { UpstreamEndpoint } from "./upstream-endpoint.ts";

export interface OriginalDestinationsOptions {
  readonly clock: Clock;
  readonly create: (plan: EndpointPlan) => UpstreamEndpoint;
  readonly onRemoved: (endpoint: UpstreamEndpoint) => void;
}

/** Envoy's default `cleanup_interval`. */
const cleanupMs = 5_000;
/** More destinations than this at once are refused rather than remembered. */
const maxDestinations = 16_384;

/**
 * The endpoints of an ORIGINAL_DST cluster: made when a connection asks for an
 * address, forgotten when nobody has for an interval and none is in use.
 */
export class OriginalDestinations {
  readonly #options: OriginalDestinationsOptions;
  readonly #byHost = new Map<string, Map<number, UpstreamEndpoint>>();
  #size = 0;
  #timer: Timer | undefined;

  constructor(options: OriginalDestinationsOptions) {
    this.#options = options;
  }

  get endpoints(): Iterable<UpstreamEndpoint> & { readonly size: number } {
    return { [Symbol.iterator]: () => this.#all(), size: this.#size };
  }

  /** Undefined without a destination, and when too many are in use. */
  pick(destination: SocketAddress | undefined): UpstreamEndpoint | undefined {
    if (destination?.kind !== "ip") return undefined;
    const endpoint = this.#byHost.get(destination.host)?.get(destination.port) ?? this.#add(destination);
    if (endpoint) endpoint.isFresh = true;
    return endpoint;
  }

  /** Forgets those of which this is false, also while they are in use: they are made anew when they are asked for. */
  retain(isStill: (endpoint: UpstreamEndpoint) => boolean): void {
    for (const [host, ports] of this.#byHost) {
      for (const [port, endpoint] of ports) if (!isStill(endpoint)) this.#remove(ports, port, endpoint);
      if (ports.size === 0) this.#byHost.delete(host);
    }
  }

  clear(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    const all = [...this.#all()];
    this.#byHost.clear();
    this.#size = 0;
    for (const endpoint of all) this.#options.onRemoved(endpoint);
  }

  #add(address: SocketAddress & { readonly kind: "ip" }): UpstreamEndpoint | undefined {
    if (this.#size >= maxDestinations) return undefined;
    const endpoint = this.#options.create({
      address,
      hostname: "",
      weight: 1,
      health: "healthy",
      metadata: new Map(),
    });
    let ports = this.#byHost.get(address.host);
    if (!ports) {
      ports = new Map();
      this.#byHost.set(address.host, ports);
    }
    ports.set(address.port, endpoint);
    this.#size += 1;
    this.#timer ??= this.#options.clock.setTimer(() => this.#sweep(), cleanupMs);
    return endpoint;
  }

  #sweep(): void {
    this.#timer = undefined;
    for (const [host, ports] of this.#byHost) {
      for (const [port, endpoint] of ports) {
        if (endpoint.isFresh || endpoint.activeRequests > 0) {
          endpoint.isFresh = false;
          continue;
        }
        this.#remove(ports, port, endpoint);
      }
      if (ports.size === 0) this.#byHost.delete(host);
    }
    if (this.#size > 0) this.#timer = this.#options.clock.setTimer(() => this.#sweep(), cleanupMs);
  }

  #remove(ports: Map<number, UpstreamEndpoint>, port: number, endpoint: UpstreamEndpoint): void {
    ports.delete(port);
    this.#size -= 1;
    this.#options.onRemoved(endpoint);
  }

  *#all(): Generator<UpstreamEndpoint> {
    for (const ports of this.#byHost.values()) yield* ports.values();
  }
}
