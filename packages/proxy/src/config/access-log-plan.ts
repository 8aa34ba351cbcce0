import type { Exchange } from "../layer/exchange.ts";

/** Where lines go, how they look, and which exchanges get one. */
export interface AccessLogPlan {
  readonly sink: AccessLogSink;
  readonly format: AccessLogFormat;
  /** Undefined logs every exchange. */
  readonly filter: ((exchange: Exchange) => boolean) | undefined;
}

export type AccessLogSink =
  | { readonly kind: "file"; readonly path: string }
  | { readonly kind: "stdout" }
  | { readonly kind: "stderr" };

export type AccessLogFormat =
  /** Envoy's default text. */
  | { readonly kind: "default" }
  | { readonly kind: "text"; readonly format: string; readonly omitEmptyValues: boolean }
  | {
      readonly kind: "json";
      readonly fields: Readonly<Record<string, unknown>>;
      readonly omitEmptyValues: boolean;
    };
