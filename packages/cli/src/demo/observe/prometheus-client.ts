/** One target that Prometheus reads, or tries to. */
export interface PrometheusTarget {
  readonly labels: Readonly<Record<string, string>>;
  readonly health: "up" | "down" | "unknown";
  readonly lastError: string;
}

/** A Prometheus, asked by its HTTP API at `origin` (`http://HOST:PORT`). */
export class PrometheusClient {
  readonly origin: string;

  constructor(origin: string) {
    this.origin = origin;
  }

  /** True when it answers. */
  async isReady(): Promise<boolean> {
    return fetch(`${this.origin}/-/ready`).then(
      (answer) => answer.ok,
      () => false,
    );
  }

  async targets(): Promise<readonly PrometheusTarget[]> {
    return (await this.ask<{ activeTargets: readonly PrometheusTarget[] }>("targets")).activeTargets;
  }

  /** How many series an expression gives that have a value. */
  async countSeries(query: string): Promise<number> {
    const data = await this.ask<{ result: readonly { value: readonly [number, string] }[] }>("query", {
      query,
    });
    return data.result.filter(({ value }) => value[1] !== "NaN").length;
  }

  /** @throws Error with its words, where it refuses what it is asked */
  async ask<T>(path: string, parameters: Readonly<Record<string, string>> = {}): Promise<T> {
    const response = await fetch(`${this.origin}/api/v1/${path}?${new URLSearchParams(parameters)}`);
    const { data, error } = (await response.json()) as { readonly data: T; readonly error?: string };
    if (error !== undefined) throw new Error(`${error}: ${JSON.stringify(parameters)}`);
    return data;
  }
}
