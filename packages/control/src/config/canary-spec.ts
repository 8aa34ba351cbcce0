import type { StringMatch } from "./virtual-service-specs.ts";

/** Flagger's Canary as it is written: of it the fields that Weft reads. */
export interface CanarySpec {
  readonly targetRef: { readonly kind: string; readonly name: string };
  readonly service?: { readonly name?: string };
  readonly progressDeadlineSeconds?: number;
  readonly suspend?: boolean;
  readonly skipAnalysis?: boolean;
  readonly analysis: CanaryAnalysisSpec;
}

export interface CanaryAnalysisSpec {
  readonly interval?: string;
  readonly threshold?: number;
  readonly iterations?: number;
  readonly maxWeight?: number;
  readonly stepWeight?: number;
  readonly stepWeights?: readonly number[];
  readonly mirror?: boolean;
  readonly mirrorWeight?: number;
  readonly match?: readonly CanaryMatchSpec[];
  readonly metrics?: readonly CanaryMetricSpec[];
}

export interface CanaryMatchSpec {
  readonly headers?: Readonly<Record<string, StringMatch>>;
  readonly queryParams?: Readonly<Record<string, StringMatch>>;
  readonly sourceLabels?: Readonly<Record<string, string>>;
}

export interface CanaryMetricSpec {
  readonly name: string;
  /** What `thresholdRange` replaced. */
  readonly threshold?: number;
  readonly thresholdRange?: { readonly min?: number; readonly max?: number };
}
