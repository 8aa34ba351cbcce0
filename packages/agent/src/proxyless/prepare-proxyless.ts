import { chownSync, mkdirSync } from "node:fs";
import { dirname } from "node:path";
import type { Timer } from "@weft/base/clock";
import type { GrpcTarget } from "@weft/xds/grpc/dial";
import { GrpcServer } from "@weft/xds/grpc/grpc-server";
import { grpcGenerator } from "@weft/xds/proxyless";
import type { CleanupStack } from "../cleanup-stack.ts";
import type { IdentityKeeper } from "../enrolment/identity-keeper.ts";
import type { Svid } from "../enrolment/svid.ts";
import type { DataPlaneOptions } from "../member-options.ts";
import { type RunDirectory, refuseLongSocketPath } from "../run-directory.ts";
import { nodeCluster, nodeId, nodeMetadata } from "../workload-plan.ts";
import { GrpcFiles, refreshMs } from "./grpc-files.ts";
import { XdsRelay } from "./xds-relay.ts";

/**
 * Everything an application that is its own data plane needs: a socket on which
 * it finds the control plane, and files with its bootstrap and certificates.
 * Resolves to the environment that tells it.
 *
 * @throws UserError
 */
export async function prepareProxyless(
  options: DataPlaneOptions,
  target: GrpcTarget,
  files: RunDirectory,
  keeper: IdentityKeeper,
  cleanup: CleanupStack,
): Promise<Readonly<Record<string, string>>> {
  const { plan, clock, talk, appOwner } = options;
  const { xdsSocketPath, grpcFolder } = files;
  refuseLongSocketPath(xdsSocketPath);
  const relay = new XdsRelay({ clock, target });
  cleanup.add("xDS relay", () => relay.close());
  const server = new GrpcServer({
    clock,
    routes: relay.routes,
    onError: (error) => talk(`xDS relay: ${String(error)}`),
  });
  mkdirSync(dirname(xdsSocketPath), { recursive: true, mode: 0o700 });
  await server.listen({ path: xdsSocketPath, mode: 0o600 });
  cleanup.add("xDS socket", () => server.close());
  if (appOwner) {
    for (const path of [xdsSocketPath, dirname(xdsSocketPath)]) chownSync(path, appOwner.uid, appOwner.gid);
  }
  const written = new GrpcFiles({
    folder: grpcFolder,
    owner: appOwner,
    xdsSocketPath,
    node: {
      id: nodeId(plan, "sidecar"),
      cluster: nodeCluster(plan),
      metadata: { ...nodeMetadata(plan, options.productVersion), GENERATOR: grpcGenerator },
    },
    svid: keeper.svid,
  });
  // gRPC looks at its files now and then, and tells nobody what it found.
  let waiting: Timer | undefined;
  const held = (svid: Svid) => {
    waiting?.cancel();
    waiting = clock.setTimer(() => options.onHeld(svid), 2 * refreshMs);
  };
  keeper.onRotated((svid) => {
    written.rotate(svid);
    held(svid);
  });
  held(keeper.svid);
  cleanup.add("files", () => waiting?.cancel());
  return {
    GRPC_XDS_BOOTSTRAP: written.bootstrapPath,
    // Without it gRPC for Node refuses a listener with a policy, and goes on without.
    GRPC_XDS_EXPERIMENTAL_RBAC: "true",
  };
}
