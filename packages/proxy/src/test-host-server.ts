import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { anyPack } from "@bufbuild/protobuf/wkt";
import { systemClock } from "@weft/base/clock";
import { type VirtualHost, VirtualHostSchema } from "@weft/xds/gen/envoy/config/route/v3/route_components_pb";
import {
  type RouteConfiguration,
  RouteConfigurationSchema,
} from "@weft/xds/gen/envoy/config/route/v3/route_pb";
import {
  DeltaDiscoveryRequestSchema,
  DeltaDiscoveryResponseSchema,
} from "@weft/xds/gen/envoy/service/discovery/v3/discovery_pb";
import { GrpcServer } from "@weft/xds/grpc/grpc-server";
import type { ServerCall } from "@weft/xds/grpc/server-call";
import { typeUrl } from "@weft/xds/type-url";

/** What a client said about virtual hosts, or its answer to what it was told of them. */
export type Said =
  | { readonly t: "asked"; readonly names: readonly string[]; readonly unsubscribed: readonly string[] }
  | { readonly t: "answered"; readonly error: string };

/** One entry of a response; without `host` the resource is said not to exist. */
export interface Told {
  readonly name: string;
  readonly aliases?: readonly string[];
  readonly host?: VirtualHost;
}

/** A client's stream, its words on virtual hosts in the order in which they came. */
export interface HostClient {
  readonly said: Said[];
  tell(resources: readonly Told[], removed?: readonly string[]): void;
  tellRoutes(routes: RouteConfiguration): void;
}

/**
 * A delta ADS server that says of virtual hosts exactly what a test tells it
 * to, right or wrong, and gives the same route configuration to all.
 */
export class TestHostServer {
  readonly port: number;
  readonly clients: HostClient[];
  readonly #grpc: GrpcServer;

  private constructor(port: number, grpc: GrpcServer, clients: HostClient[]) {
    this.port = port;
    this.#grpc = grpc;
    this.clients = clients;
  }

  static async start(routes: RouteConfiguration): Promise<TestHostServer> {
    const clients: HostClient[] = [];
    const path = "/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources";
    const grpc = new GrpcServer({
      clock: systemClock,
      routes: [{ path, open: (call) => serve(call, routes, clients) }],
      onError(error) {
        throw error;
      },
    });
    const { port } = await grpc.listen({ host: "127.0.0.1", port: 0 });
    return new TestHostServer(port, grpc, clients);
  }

  close(): Promise<void> {
    return this.#grpc.close();
  }
}

function serve(call: ServerCall, routes: RouteConfiguration, clients: HostClient[]) {
  let nonce = 0;
  const send = (type: string, init: object) =>
    call.send(
      toBinary(
        DeltaDiscoveryResponseSchema,
        create(DeltaDiscoveryResponseSchema, { typeUrl: type, nonce: String(++nonce), ...init }),
      ),
    );
  const client: HostClient = {
    said: [],
    tell: (resources, removed = []) =>
      send(typeUrl.virtualHost, {
        removedResources: [...removed],
        resources: resources.map(({ name, aliases = [], host }) => ({
          name,
          aliases: [...aliases],
          version: String(nonce),
          ...(host ? { resource: anyPack(VirtualHostSchema, host) } : {}),
        })),
      }),
    tellRoutes: (config) =>
      send(typeUrl.route, {
        resources: [
          { name: config.name, version: String(nonce), resource: anyPack(RouteConfigurationSchema, config) },
        ],
      }),
  };
  clients.push(client);
  return {
    onMessage(bytes: Uint8Array) {
      const request = fromBinary(DeltaDiscoveryRequestSchema, bytes);
      const { typeUrl: type, responseNonce, resourceNamesSubscribe: names } = request;
      if (type === typeUrl.route && responseNonce === "" && names.length > 0) client.tellRoutes(routes);
      if (type !== typeUrl.virtualHost) return;
      const unsubscribed = request.resourceNamesUnsubscribe;
      if (names.length + unsubscribed.length > 0) client.said.push({ t: "asked", names, unsubscribed });
      if (responseNonce !== "") {
        client.said.push({ t: "answered", error: request.errorDetail?.message ?? "" });
      }
    },
    onHalfClose() {},
    onClose() {
      clients.splice(clients.indexOf(client), 1);
    },
  };
}
