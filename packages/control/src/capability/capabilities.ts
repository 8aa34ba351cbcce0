import { type DataPlane, isBefore } from "./data-plane.ts";

/**
 * What becomes of what a data plane does not do: the call goes on without it,
 * such calls fail, or all that holds it is refused and the data plane stays with
 * what it has.
 */
export type Effect = "ignores" | "fails" | "refuses";

interface Capability {
  /** What is written, as it is called in a sentence. */
  readonly what: string;
  /** Of gRPC without a sidecar, in every language. Undefined: it does it. */
  readonly grpc?: Effect;
  /** Of Envoy before a version. Undefined: every Envoy that is maintained does it. */
  readonly envoy?: { readonly before: readonly [number, number]; readonly effect: Effect };
}

/**
 * Everything that a mesh may ask for and not every data plane does. Weft's own
 * sidecar does all of it. gRPC: gRFCs A28, A36, A39, A41, A42, A44, A50; Envoy:
 * its version history.
 */
export const capabilities = {
  queryMatch: { what: "the match of a query", grpc: "ignores" },
  cors: { what: "the CORS policy", grpc: "ignores" },
  unmatchedPreflights: {
    what: "unmatchedPreflights: IGNORE",
    envoy: { before: [1, 30], effect: "ignores" },
  },
  redirect: { what: "the redirect", grpc: "fails" },
  directResponse: { what: "the direct response", grpc: "fails" },
  rewrite: { what: "the rewrite", grpc: "ignores" },
  mirror: { what: "the mirror", grpc: "ignores" },
  headerEdits: { what: "the changes of headers", grpc: "ignores" },
  httpRetries: { what: "retries on conditions that are no gRPC status", grpc: "ignores" },
  perTryTimeout: { what: "the timeout per try", grpc: "ignores" },
  balancer: { what: "the load balancer", grpc: "ignores" },
  hashKey: { what: "a hash of anything but a header", grpc: "ignores" },
  warmup: { what: "the warm-up", grpc: "ignores" },
  passthrough: { what: "the address that a caller chose", grpc: "fails" },
  connectionLimits: { what: "limits of connections and of their life", grpc: "ignores" },
  serverTls: { what: "TLS to a server outside the mesh", grpc: "fails" },
  proxyProtocol: { what: "the PROXY header", grpc: "ignores" },
  tunnel: { what: "the tunnel", grpc: "ignores" },
  permissive: { what: "plaintext on a PERMISSIVE port", grpc: "refuses" },
  tokens: { what: "the verification of tokens", grpc: "ignores" },
  customAuthorization: { what: "authorization by a provider", grpc: "fails" },
  pathTemplate: { what: "the path template", envoy: { before: [1, 30], effect: "refuses" } },
  inboundPool: { what: "limits of inbound connections", grpc: "ignores" },
} as const satisfies Readonly<Record<string, Capability>>;

export type CapabilityName = keyof typeof capabilities;

/** What becomes of it there; undefined: it is done. */
export function effectOn(name: CapabilityName, dataPlane: DataPlane): Effect | undefined {
  const { grpc, envoy }: Capability = capabilities[name];
  switch (dataPlane.kind) {
    case "weft":
      return undefined;
    case "grpc":
      return grpc;
    case "envoy":
      return envoy && isBefore(dataPlane, envoy.before) ? envoy.effect : undefined;
  }
}
