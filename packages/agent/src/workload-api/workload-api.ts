import { chownSync, mkdirSync } from "node:fs";
import { dirname } from "node:path";
import type { Clock } from "@weft/base/clock";
import type { GrpcTarget } from "@weft/xds/grpc/dial";
import { GrpcServer } from "@weft/xds/grpc/grpc-server";
import type { Ids } from "../launch.ts";
import { refuseLongSocketPath } from "../run-directory.ts";
import { jwtRoutes } from "./jwt-routes.ts";
import { JwtSvidSource } from "./jwt-svid-source.ts";
import type { WorkloadState } from "./workload-state.ts";
import { x509Routes } from "./x509-routes.ts";

export interface WorkloadApiOptions {
  readonly path: string;
  readonly state: WorkloadState;
  /** Where JWT-SVIDs come from. */
  readonly target: GrpcTarget;
  /** Who may connect: the application's user; undefined: only this process's own. */
  readonly owner: Pick<Ids, "uid" | "gid"> | undefined;
  readonly clock: Clock;
  readonly talk: (line: string) => void;
}

/**
 * The SPIFFE Workload API on a Unix socket. Socket and folder are the
 * application's user's alone: that is how its callers are known. Any other
 * process of that user has the application's identity, as it has its memory.
 */
export async function startWorkloadApi(options: WorkloadApiOptions): Promise<{ close(): Promise<void> }> {
  const { path, state, target, owner, clock, talk } = options;
  refuseLongSocketPath(path);
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  const source = new JwtSvidSource({ clock, target });
  const server = new GrpcServer({
    clock,
    routes: [...x509Routes(state), ...jwtRoutes(state, source, clock)],
    maxMessageBytes: 64 << 10,
    maxConnections: 256,
    onError: (error) => talk(`Workload API: ${String(error)}`),
  });
  await server.listen({ path, mode: 0o600 });
  if (owner) for (const one of [path, dirname(path)]) chownSync(one, owner.uid, owner.gid);
  return {
    async close() {
      source.close();
      await server.close();
    },
  };
}
