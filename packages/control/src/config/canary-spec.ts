import type { RolloutAlert, RolloutWebhook } from "../api/rollout-protocol.ts";
import type { StringMatch } from "./virtual-service-specs.ts";

/** Flagger's Canary as it is written: of it the fields that Weft reads. */
export interface CanarySpec {
  readonly targetRef: { readonly kind: string; readonly name: string };
  /** Of a Prometheus, for `query`. */
  readonly metricsServer?: string;
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
  readonly webhooks?: readonly CanaryWebhookSpec[];
  readonly alerts?: readonly CanaryAlertSpec[];
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
  readonly interval?: string;
  readonly query?: string;
  readonly templateRef?: ReferenceSpec;
  readonly templateVariables?: Readonly<Record<string, string>>;
}

/** Of the same namespace, where none is said. */
export interface ReferenceSpec {
  readonly name: string;
  readonly namespace?: string;
}

export interface CanaryWebhookSpec {
  readonly name: string;
  readonly type?: RolloutWebhook["type"] | "";
  readonly url: string;
  readonly timeout?: string;
  readonly retries?: number;
  readonly metadata?: Readonly<Record<string, string>>;
  readonly muteAlert?: boolean;
}

export interface CanaryAlertSpec {
  readonly name: string;
  readonly severity?: RolloutAlert["severity"] | "";
  readonly providerRef: ReferenceSpec;
}

/** Flagger's MetricTemplate. */
export interface MetricTemplateSpec {
  readonly provider: { readonly type: "prometheus"; readonly address?: string };
  readonly query: string;
}

/** Flagger's AlertProvider. */
export interface AlertProviderSpec {
  readonly type: RolloutAlert["type"];
  /** Of the chat's incoming webhook. */
  readonly address?: string;
  readonly channel?: string;
  readonly username?: string;
}
