/** Where an application shows its own metrics. */
export interface AppMetricsTarget {
  /** Asked one after the other, until somebody is there. */
  readonly hosts: readonly string[];
  readonly port: number;
  readonly path: string;
}

/** What a person says of it. */
export type AppMetricsPlace = Pick<AppMetricsTarget, "port" | "path">;
