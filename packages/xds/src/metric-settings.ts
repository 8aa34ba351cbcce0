/** How metrics are counted, as the environment of a data plane says it where nobody at its start does. */
export interface MetricSettings {
  /** Series of one of Istio's metrics; what is more counts together. */
  readonly maxSeries?: number;
  /** Series of requests that have not changed for so long are forgotten. */
  readonly seriesIdleMs?: number;
  /** Whether a Prometheus that takes them is given native histograms. */
  readonly hasNativeHistograms?: boolean;
}

interface Variable {
  /** What it says, or undefined where it says nothing that there is. */
  readonly parse: (text: string) => MetricSettings | undefined;
  readonly hint: string;
}

const unitsMs: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000 };

/** A ProxyConfig has no other place for them than its variables. */
const variables: Readonly<Record<string, Variable>> = {
  WEFT_METRICS_MAX_SERIES: {
    hint: "a number from 1 to 1000000",
    parse: (text) => {
      const maxSeries = /^\d{1,7}$/.test(text) ? Number(text) : 0;
      return maxSeries >= 1 && maxSeries <= 1_000_000 ? { maxSeries } : undefined;
    },
  },
  WEFT_METRICS_SERIES_IDLE: {
    hint: "a time from 1s on, such as 15m",
    parse: (text) => {
      const [, count, unit = ""] = /^(\d{1,7})([smh])$/.exec(text) ?? [];
      return Number(count) >= 1 ? { seriesIdleMs: Number(count) * unitsMs[unit]! } : undefined;
    },
  },
  WEFT_METRICS_NATIVE_HISTOGRAMS: {
    hint: "true or false",
    parse: (text) =>
      text === "true" || text === "false" ? { hasNativeHistograms: text === "true" } : undefined,
  },
};

export function isMetricVariable(name: string): boolean {
  return Object.hasOwn(variables, name);
}

/** What a variable should say instead; undefined where it says something. */
export function metricVariableHint(name: string, value: string): string | undefined {
  return variables[name]?.parse(value) ? undefined : variables[name]?.hint;
}

/** What the variables of an environment say; what is none of their values says nothing. */
export function metricSettings(environment: Readonly<Record<string, string | undefined>>): MetricSettings {
  return Object.assign(
    {},
    ...Object.entries(variables).map(([name, { parse }]) => parse(environment[name] ?? "")),
  );
}
