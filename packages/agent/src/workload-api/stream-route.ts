import {
  create,
  type DescMessage,
  type DescMethodServerStreaming,
  type MessageInitShape,
  toBinary,
} from "@bufbuild/protobuf";
import { decodeRequest, type GrpcRoute, methodPath } from "@weft/xds/grpc/grpc-route";
import { GrpcError, grpcCode } from "@weft/xds/grpc/grpc-status";
import { requireSecurityHeader } from "./security-header.ts";
import type { WorkloadState } from "./workload-state.ts";

/**
 * A method that answers with what there is now and again with every change, for
 * as long as the caller listens. One that does not read hears later of the
 * newest only; nothing is said twice.
 */
export function streamRoute<I extends DescMessage, O extends DescMessage>(
  method: DescMethodServerStreaming<I, O>,
  state: WorkloadState,
  /** Undefined: there is nothing to say yet. */
  answer: () => MessageInitShape<O> | undefined,
): GrpcRoute {
  return {
    path: methodPath(method),
    open(call) {
      requireSecurityHeader(call);
      let said: Uint8Array | undefined;
      let forget: (() => void) | undefined;
      const tell = () => {
        if (!call.isWritable) return;
        const now = answer();
        if (!now) return;
        const bytes = toBinary(method.output, create(method.output, now));
        if (said && Buffer.compare(said, bytes) === 0) return;
        said = bytes;
        call.send(bytes);
      };
      return {
        onMessage(bytes) {
          if (forget) throw new GrpcError(grpcCode.invalidArgument, "this method takes one request");
          decodeRequest(method.input, bytes);
          call.accept();
          forget = state.onChange(tell);
          tell();
        },
        onHalfClose() {
          if (!forget) throw new GrpcError(grpcCode.invalidArgument, "this method needs a request");
        },
        onDrain: () => forget && tell(),
        onClose: () => forget?.(),
      };
    },
  };
}
