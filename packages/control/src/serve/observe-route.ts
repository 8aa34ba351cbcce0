import { create, toBinary } from "@bufbuild/protobuf";
import { parseSpiffeId, type SpiffeId } from "@weft/identity/spiffe-id";
import {
  AgentMessageSchema,
  type ControlMessage,
  ControlMessageSchema,
  ObserveService,
} from "@weft/xds/gen/weft/observe/v1/observe_pb";
import { decodeRequest, type GrpcRoute, methodPath } from "@weft/xds/grpc/grpc-route";
import { GrpcError, grpcCode } from "@weft/xds/grpc/grpc-status";
import type { AttachedAgent, RequestHub } from "../observe/request-hub.ts";

/** Says whose requests an agent shows. @throws GrpcError for what is not its own. */
export type AdmitAgent = (instance: string, peer: SpiffeId) => string;

/**
 * `weft.observe.v1.ObserveService`: agents attach here, each for the workload
 * that its certificate proves to be its own. Nothing is asked of anybody by
 * this call: who watches comes through the operators' socket.
 */
export function observeRoute(hub: RequestHub, admit: AdmitAgent): GrpcRoute {
  return {
    path: methodPath(ObserveService.method.attach),
    open(call) {
      const { spiffeId } = call.peer;
      if (spiffeId === undefined) {
        throw new GrpcError(grpcCode.unauthenticated, "this needs the workload's certificate");
      }
      let agent: AttachedAgent | undefined;
      const send = (kind: ControlMessage["kind"], id: number) =>
        call.send(toBinary(ControlMessageSchema, create(ControlMessageSchema, { id, kind })));
      return {
        onMessage(bytes) {
          const { kind } = decodeRequest(AgentMessageSchema, bytes);
          if (kind.case === "attach") {
            if (agent) throw new GrpcError(grpcCode.invalidArgument, "an agent attaches once");
            agent = hub.attach(admit(kind.value.instance, parseSpiffeId(spiffeId)), send);
          } else if (!agent) {
            throw new GrpcError(grpcCode.invalidArgument, "an agent attaches first");
          } else if (kind.case === "events") agent.onEvents(kind.value);
          else if (kind.case === "recalled") agent.onRecalled(kind.value);
        },
        onHalfClose: () => call.end(),
        onClose: () => agent?.detach(),
      };
    },
  };
}
