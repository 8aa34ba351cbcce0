import type { PolicyTargetSpec } from "./security-specs.ts";

export type WorkloadMode = "CLIENT_AND_SERVER" | "CLIENT" | "SERVER";

export interface ModeMatchSpec {
  readonly mode?: WorkloadMode;
}

export interface ProviderRefSpec {
  readonly name: string;
}

export interface TelemetrySpec extends PolicyTargetSpec {
  readonly tracing?: readonly TracingSpec[];
  readonly metrics?: readonly MetricsSpec[];
  readonly accessLogging?: readonly AccessLoggingSpec[];
}

export interface TracingSpec {
  readonly match?: ModeMatchSpec;
  readonly providers?: readonly ProviderRefSpec[];
  readonly randomSamplingPercentage?: number;
  readonly disableSpanReporting?: boolean;
  readonly customTags?: Readonly<Record<string, TraceTagSpec>>;
  readonly useRequestIdForTraceSampling?: boolean;
  readonly enableIstioTags?: boolean;
}

/** One of its kinds is set. */
export interface TraceTagSpec {
  readonly literal?: { readonly value: string };
  readonly environment?: { readonly name: string; readonly defaultValue?: string };
  readonly header?: { readonly name: string; readonly defaultValue?: string };
  /** Text with command operators. */
  readonly formatter?: { readonly value: string };
}

export interface MetricsSpec {
  readonly providers?: readonly ProviderRefSpec[];
  readonly overrides?: readonly MetricsOverrideSpec[];
  readonly reportingInterval?: string;
}

export interface MetricsOverrideSpec {
  readonly match?: ModeMatchSpec & { readonly metric?: string; readonly customMetric?: string };
  readonly disabled?: boolean;
  readonly tagOverrides?: Readonly<Record<string, TagOverrideSpec>>;
}

export interface TagOverrideSpec {
  readonly operation?: "UPSERT" | "REMOVE";
  readonly value?: string;
}

export interface AccessLoggingSpec {
  readonly match?: ModeMatchSpec;
  readonly providers?: readonly ProviderRefSpec[];
  readonly disabled?: boolean;
  readonly filter?: { readonly expression?: string };
}
