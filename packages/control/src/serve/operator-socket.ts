import type { Clock } from "@weft/base/clock";
import { GrpcServer } from "@weft/xds/grpc/grpc-server";
import { type ClientStatus, clientStatusRoutes } from "./client-status-routes.ts";

export interface OperatorSocketOptions {
  readonly path: string;
  readonly clock: Clock;
  readonly clientStatus: ClientStatus;
  onError(error: unknown): void;
}

/**
 * gRPC for tools of this machine that look at the mesh, on a Unix socket of mode
 * 0600: what may open it is the user who runs the control plane.
 *
 * @throws UserError when the socket cannot be had
 */
export async function openOperatorSocket(options: OperatorSocketOptions): Promise<GrpcServer> {
  const { path, clock, clientStatus, onError } = options;
  const server = new GrpcServer({
    clock,
    onError,
    maxConnections: 64,
    maxStreamsPerConnection: 8,
    routes: clientStatusRoutes(clientStatus, () => {}),
  });
  await server.listen({ path, mode: 0o600 });
  return server;
}
