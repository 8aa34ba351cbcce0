/** `HealthCheckResponse.ServingStatus.SERVING`. */
export const serving = 1;
/** A health response is a few bytes; what is longer is none. */
export const maxHealthBytes = 4 * 1024;

/** A `grpc.health.v1.HealthCheckRequest` in its gRPC frame; an empty name asks for the whole server. */
export function encodeHealthRequest(serviceName: string): Buffer {
  const name = Buffer.from(serviceName, "utf8");
  const message =
    name.length === 0 ? name : Buffer.concat([Buffer.from([0x0a, ...varint(name.length)]), name]);
  const frame = Buffer.alloc(5);
  frame.writeUInt32BE(message.length, 1);
  return Buffer.concat([frame, message]);
}

function varint(value: number): number[] {
  return value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...varint(value >>> 7)];
}

/** The status in a framed `grpc.health.v1.HealthCheckResponse`; undefined when it is not one. */
export function servingStatus(frame: Buffer): number | undefined {
  if (frame.length < 5 || frame[0] !== 0 || frame.readUInt32BE(1) !== frame.length - 5) return undefined;
  let at = 5;
  const read = () => {
    let value = 0;
    for (let shift = 0; at < frame.length && shift < 35; shift += 7) {
      const byte = frame[at++]!;
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
    return undefined;
  };
  let status = 0;
  while (at < frame.length) {
    const tag = read();
    if (tag === undefined) return undefined;
    const field = tag >>> 3;
    if ((tag & 7) === 0) {
      const value = read();
      if (value === undefined) return undefined;
      if (field === 1) status = value;
    } else if ((tag & 7) === 2) {
      const length = read();
      if (length === undefined) return undefined;
      at += length;
    } else return undefined;
  }
  return at === frame.length ? status : undefined;
}
