/** Status codes of gRPC, as `grpc-status` carries them. */
export const grpcCode = {
  ok: 0,
  cancelled: 1,
  unknown: 2,
  invalidArgument: 3,
  deadlineExceeded: 4,
  notFound: 5,
  alreadyExists: 6,
  permissionDenied: 7,
  resourceExhausted: 8,
  failedPrecondition: 9,
  aborted: 10,
  outOfRange: 11,
  unimplemented: 12,
  internal: 13,
  unavailable: 14,
  dataLoss: 15,
  unauthenticated: 16,
} as const;

export type GrpcCode = (typeof grpcCode)[keyof typeof grpcCode];

/** How long a status message may be on the wire, in characters before escaping. */
const maxMessageLength = 4096;

/** The names of the codes as gRPC writes them, each at the place of its number: `PERMISSION_DENIED` at 7. */
export const grpcCodeNames: readonly string[] = Object.keys(grpcCode).map((name) =>
  name.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase(),
);

/**
 * A call that ended with another status than OK. Thrown by a server's handler
 * it becomes that status; thrown by a client it is the status that came.
 */
export class GrpcError extends Error {
  override readonly name = "GrpcError";
  readonly code: GrpcCode;

  constructor(code: GrpcCode, message: string, options?: { readonly cause?: unknown }) {
    super(message, options);
    this.code = code;
  }

  /** `UNAVAILABLE: connection refused`, as gRPC's tools print it. */
  override toString(): string {
    return `${grpcCodeName(this.code)}: ${this.message}`;
  }
}

/** `PERMISSION_DENIED` for 7. */
export function grpcCodeName(code: number): string {
  return grpcCodeNames[code] ?? "UNKNOWN";
}

/** Whether a server has understood who asks, and says no: not a fault of the way to it. */
export function isRefusal(code: GrpcCode): boolean {
  const refusals: readonly GrpcCode[] = [
    grpcCode.invalidArgument,
    grpcCode.permissionDenied,
    grpcCode.unauthenticated,
  ];
  return refusals.includes(code);
}

/** The status of anything thrown. What is not a `GrpcError` tells the peer nothing about the inside. */
export function grpcErrorOf(thrown: unknown): GrpcError {
  if (thrown instanceof GrpcError) return thrown;
  return new GrpcError(grpcCode.internal, "internal error; the server's log has the cause", {
    cause: thrown,
  });
}

/** A number from the wire as a code: what is out of range is UNKNOWN. */
export function parseGrpcCode(text: string | undefined): GrpcCode {
  const code = Number(text);
  return Number.isInteger(code) && code >= 0 && code < grpcCodeNames.length
    ? (code as GrpcCode)
    : grpcCode.unknown;
}

/** `grpc-message`: UTF-8, percent-encoded outside printable ASCII. */
export function encodeGrpcMessage(message: string): string {
  let encoded = "";
  for (const byte of Buffer.from(message.slice(0, maxMessageLength))) {
    const isPlain = byte >= 0x20 && byte <= 0x7e && byte !== 0x25;
    encoded += isPlain ? String.fromCharCode(byte) : `%${byte.toString(16).toUpperCase().padStart(2, "0")}`;
  }
  return encoded;
}

/** Never fails: a message that is not valid percent-encoding is shown as it came. */
export function decodeGrpcMessage(encoded: string | undefined): string {
  if (!encoded) return "";
  try {
    return decodeURIComponent(encoded);
  } catch {
    return encoded;
  }
}
