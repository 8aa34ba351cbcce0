const unitsMs: Readonly<Record<string, number>> = {
  H: 3_600_000,
  M: 60_000,
  S: 1_000,
  m: 1,
  u: 1e-3,
  n: 1e-6,
};

/**
 * Milliseconds, rounded up, of a `grpc-timeout`; undefined when it is none.
 *
 * @see https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md
 */
export function parseGrpcTimeout(text: string | undefined): number | undefined {
  const match = text === undefined ? null : /^(\d{1,8})([HMSmun])$/.exec(text);
  return match ? Math.ceil(Number(match[1]) * unitsMs[match[2]!]!) : undefined;
}

/** The same in the finest unit, from milliseconds on, whose number has at most eight digits. */
export function formatGrpcTimeout(timeoutMs: number): string {
  for (const unit of ["m", "S", "M"]) {
    const count = Math.floor(timeoutMs / unitsMs[unit]!);
    if (count < 1e8) return `${count}${unit}`;
  }
  return `${Math.min(Math.floor(timeoutMs / unitsMs.H!), 99_999_999)}H`;
}
