import type { DescMessage, DescMethod } from "@bufbuild/protobuf";
import {
  create,
  type DescMethodUnary,
  fromBinary,
  type MessageInitShape,
  type MessageShape,
  toBinary,
} from "@bufbuild/protobuf";
import type { CallListener } from "./call-listener.ts";
import { GrpcError, grpcCode } from "./grpc-status.ts";
import type { ServerCall } from "./server-call.ts";

/** One method of a server. `open` may throw a `GrpcError` to refuse the call. */
export interface GrpcRoute {
  /** `/package.Service/Method` */
  readonly path: string;
  /** Whoever shows a certificate that has expired may call it too; otherwise such a call is refused. */
  readonly takesExpired?: boolean;
  open(call: ServerCall): CallListener;
}

/** `/package.Service/Method` */
export function methodPath(method: DescMethod): string {
  return `/${method.parent.typeName}/${method.name}`;
}

/**
 * A method with one request and one response. The handler's `GrpcError` is the
 * status of the call; any other error is INTERNAL and goes to the server's
 * `onError`.
 */
export function unaryRoute<I extends DescMessage, O extends DescMessage>(
  method: DescMethodUnary<I, O>,
  handle: (request: MessageShape<I>, call: ServerCall) => Promise<MessageInitShape<O>>,
): GrpcRoute {
  return {
    path: methodPath(method),
    open(call) {
      let request: MessageShape<I> | undefined;
      return {
        onMessage(bytes) {
          if (request) throw new GrpcError(grpcCode.invalidArgument, "this method takes one request");
          request = decodeRequest(method.input, bytes);
        },
        onHalfClose() {
          if (!request) throw new GrpcError(grpcCode.invalidArgument, "this method needs a request");
          handle(request, call).then(
            (response) => {
              call.send(toBinary(method.output, create(method.output, response)));
              call.end();
            },
            (error: unknown) => call.fail(error),
          );
        },
        onClose() {},
      };
    },
  };
}

/** @throws GrpcError INVALID_ARGUMENT when the bytes are not such a message. */
export function decodeRequest<T extends DescMessage>(schema: T, bytes: Uint8Array): MessageShape<T> {
  try {
    return fromBinary(schema, bytes);
  } catch (error) {
    throw new GrpcError(grpcCode.invalidArgument, `not a ${schema.typeName}`, { cause: error });
  }
}
