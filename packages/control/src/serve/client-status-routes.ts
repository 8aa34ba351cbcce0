import { toBinary } from "@bufbuild/protobuf";
import { parseSpiffeId } from "@weft/identity/spiffe-id";
import { parseWorkloadId, systemNamespace } from "@weft/identity/workload-id";
import {
  ClientStatusDiscoveryService,
  type ClientStatusRequest,
  ClientStatusRequestSchema,
  type ClientStatusResponse,
  ClientStatusResponseSchema,
} from "@weft/xds/gen/envoy/service/status/v3/csds_pb";
import type { GrpcPeer } from "@weft/xds/grpc/grpc-peer";
import { decodeRequest, type GrpcRoute, methodPath, unaryRoute } from "@weft/xds/grpc/grpc-route";
import { GrpcError, grpcCode } from "@weft/xds/grpc/grpc-status";

/** May throw a `GrpcError`. */
export type ClientStatus = (request: ClientStatusRequest) => ClientStatusResponse;

/** Decides who may look at every client. @throws GrpcError for anybody else. */
export type AdmitOperator = (peer: GrpcPeer) => void;

/**
 * CSDS, which shows what every client is given, and so how the whole mesh is
 * built: `admit` decides who may see that, before anything is read.
 *
 * @see envoy.service.status.v3.ClientStatusDiscoveryService
 */
export function clientStatusRoutes(clientStatus: ClientStatus, admit: AdmitOperator): readonly GrpcRoute[] {
  const { streamClientStatus, fetchClientStatus } = ClientStatusDiscoveryService.method;
  const fetch = unaryRoute(fetchClientStatus, async (request) => clientStatus(request));
  return [
    {
      path: fetch.path,
      open(call) {
        admit(call.peer);
        return fetch.open(call);
      },
    },
    {
      path: methodPath(streamClientStatus),
      open(call) {
        admit(call.peer);
        return {
          onMessage(bytes) {
            // Answers are large: one that is not read yet is all that is kept for a client.
            if (!call.isWritable)
              throw new GrpcError(grpcCode.resourceExhausted, "read the last answer first");
            const response = clientStatus(decodeRequest(ClientStatusRequestSchema, bytes));
            call.send(toBinary(ClientStatusResponseSchema, response));
          },
          onHalfClose: () => call.end(),
          onClose() {},
        };
      },
    },
  ];
}

/** By certificate: identities of the mesh's own namespaces, whose policies already hold for everyone. */
export function operatorsOf(rootNamespace: string): AdmitOperator {
  return ({ spiffeId }) => {
    if (spiffeId === undefined) {
      throw new GrpcError(grpcCode.unauthenticated, "this needs a certificate of the mesh");
    }
    const namespace = parseWorkloadId(parseSpiffeId(spiffeId))?.namespace;
    if (namespace === rootNamespace || namespace === systemNamespace) return;
    const message = `only identities of namespace ${rootNamespace} may see all clients, not ${spiffeId}`;
    throw new GrpcError(grpcCode.permissionDenied, message);
  };
}
