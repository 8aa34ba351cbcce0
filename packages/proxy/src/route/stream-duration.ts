/** How long a whole exchange may take. Milliseconds. @see envoy.config.route.v3.RouteAction.MaxStreamDuration */
export interface StreamDuration {
  /** 0 means without end, undefined what the connection manager says. */
  readonly maxMs: number | undefined;
  /** Where set, `grpc-timeout` counts instead, up to this, which 0 leaves open. */
  readonly grpcMaxMs: number | undefined;
  /** Taken off `grpc-timeout`, so that the client hears of a timeout in time. */
  readonly grpcOffsetMs: number;
}
