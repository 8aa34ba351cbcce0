/** Where an application shows its own metrics. */
export interface AppMetricsTarget {
  readonly host: string;
  readonly port: number;
  readonly path: string;
}

/** What a person says of it. */
export type AppMetricsPlace = Pick<AppMetricsTarget, "port" | "path">;
