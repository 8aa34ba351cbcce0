/** A `google.protobuf.Duration` in milliseconds; 0 without one. */
export function milliseconds(
  duration: { readonly seconds: bigint; readonly nanos: number } | undefined,
): number {
  return duration ? Number(duration.seconds) * 1_000 + duration.nanos / 1e6 : 0;
}
