/** What runs beside a workload, or is the workload itself. */
export interface DataPlane {
  readonly kind: "weft" | "envoy" | "grpc";
  /** Major and minor; undefined where it did not say. */
  readonly version: readonly [number, number] | undefined;
}

/** Of an xDS client by what it says it is, e.g. `envoy/1.40.0`. Who says nothing is taken for Envoy. */
export function dataPlaneOf(userAgent: string, isProxyless: boolean): DataPlane {
  const found = /(\d{1,4})\.(\d{1,4})/.exec(userAgent);
  const version = found ? ([Number(found[1]), Number(found[2])] as const) : undefined;
  if (isProxyless) return { kind: "grpc", version };
  return { kind: userAgent.toLowerCase().startsWith("weft") ? "weft" : "envoy", version };
}

/** `Envoy 1.29`, `weft`, `proxyless`. */
export function dataPlaneName({ kind, version }: DataPlane): string {
  if (kind === "grpc") return "proxyless";
  return kind === "envoy" && version ? `Envoy ${version.join(".")}` : { weft: "weft", envoy: "Envoy" }[kind];
}

export function isBefore({ version }: DataPlane, [major, minor]: readonly [number, number]): boolean {
  return version !== undefined && (version[0] < major || (version[0] === major && version[1] < minor));
}
