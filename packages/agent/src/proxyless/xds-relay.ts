import type { Clock } from "@weft/base/clock";
import { messageOf } from "@weft/base/errors";
import type { CallListener } from "@weft/xds/grpc/call-listener";
import type { ClientCall } from "@weft/xds/grpc/client-call";
import type { GrpcTarget } from "@weft/xds/grpc/dial";
import { GrpcChannel } from "@weft/xds/grpc/grpc-channel";
import type { GrpcRoute } from "@weft/xds/grpc/grpc-route";
import { GrpcError, grpcCode } from "@weft/xds/grpc/grpc-status";
import type { ServerCall } from "@weft/xds/grpc/server-call";

/** Requests that may wait for the connection: a client says what it wants of a few types. */
const maxWaiting = 256;
const ads = "/envoy.service.discovery.v3.AggregatedDiscoveryService";

/**
 * Carries the application's xDS streams to the control plane and back, byte for
 * byte, over the agent's own mutual TLS: the application needs neither the
 * control plane's address nor a certificate to reach it, and a stream that
 * breaks there ends here, for the application to try again.
 */
export class XdsRelay {
  readonly routes: readonly GrpcRoute[];
  readonly #channel: GrpcChannel;

  constructor(options: { readonly clock: Clock; readonly target: GrpcTarget }) {
    this.#channel = new GrpcChannel(options);
    this.routes = ["StreamAggregatedResources", "DeltaAggregatedResources"].map((method) => ({
      path: `${ads}/${method}`,
      open: (call) => this.#open(`${ads}/${method}`, call),
    }));
  }

  close(): void {
    this.#channel.close();
  }

  #open(path: string, call: ServerCall): CallListener {
    let upstream: ClientCall | undefined;
    let isOver = false;
    const waiting: Uint8Array[] = [];
    this.#channel
      .open(path, [], {
        onMessage: (message) => call.send(message),
        onEnd: (error) => (error ? call.fail(error) : call.end()),
      })
      .then(
        (opened) => {
          if (isOver) return opened.cancel();
          upstream = opened;
          call.accept();
          for (const message of waiting.splice(0)) opened.send(message);
        },
        (error: unknown) => call.fail(unavailable(error)),
      );
    return {
      onMessage(message) {
        if (upstream) upstream.send(message);
        else if (waiting.length < maxWaiting) waiting.push(message);
        else throw new GrpcError(grpcCode.resourceExhausted, "too many requests before the first answer");
      },
      onHalfClose: () => upstream?.halfClose(),
      onClose() {
        isOver = true;
        waiting.length = 0;
        upstream?.cancel();
      },
    };
  }
}

function unavailable(error: unknown): GrpcError {
  return error instanceof GrpcError ? error : new GrpcError(grpcCode.unavailable, messageOf(error));
}
