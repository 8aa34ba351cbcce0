import { request } from "node:http";
import { contentTypes, type ExpositionFormat } from "@weft/base/exposition";
import type { MetricRegistry } from "@weft/base/metric-registry";
import { loopbackAddresses } from "@weft/xds/loopback-addresses";
import type { WorkloadPlan } from "../workload-plan.ts";
import type { AppMetricsPlace, AppMetricsTarget } from "./app-metrics-target.ts";
import { checkExposition } from "./check-exposition.ts";

/** On loopback, but where the workload has one of its own. */
export function appMetricsTarget(
  { capture, addresses }: Pick<WorkloadPlan, "capture" | "addresses">,
  place: AppMetricsPlace,
): AppMetricsTarget {
  const own = capture === "none" ? addresses.filter((address) => address.startsWith("127.")) : [];
  return { hosts: own.length > 0 ? own : loopbackAddresses(addresses), ...place };
}

export interface AppPage {
  readonly format: ExpositionFormat;
  /** Whole lines, without the end mark of OpenMetrics. */
  readonly text: string;
}

interface Answer {
  readonly type: string;
  readonly body: string;
}

type Failure = "unreachable" | "timeout" | "status" | "too-large" | "format" | "malformed";

const timeoutMs = 3_000;
const maxBytes = 8 * 1024 * 1024;

/**
 * The metrics of an application, for the page that its sidecar shows: in
 * bounded time and size, and only what Prometheus can read, since one bad line
 * would cost it the whole page. What comes of each try is counted.
 */
export class AppMetrics {
  readonly #target: AppMetricsTarget;
  readonly #results;

  constructor(target: AppMetricsTarget, registry: MetricRegistry) {
    this.#target = target;
    const help = "Readings of the application's own metrics, by what came of them";
    this.#results = registry.counter("weft_app_metrics_scrapes_total", help, ["result"]);
  }

  /** Undefined where it could not be read; OpenMetrics only where that is wanted. */
  async scrape(wanted: ExpositionFormat): Promise<AppPage | undefined> {
    const page = await this.#page(wanted);
    this.#results.with(typeof page === "string" ? page : "ok").add();
    return typeof page === "string" ? undefined : page;
  }

  async #page(wanted: ExpositionFormat): Promise<AppPage | Failure> {
    let answer: Answer | Failure = "unreachable";
    for (const host of this.#target.hosts) {
      answer = await this.#fetch(host, wanted);
      if (answer !== "unreachable") break;
    }
    if (typeof answer === "string") return answer;
    const { type, body } = answer;
    const format = /^application\/openmetrics-text\b/.test(type) ? "openmetrics" : "text";
    if (format === "openmetrics" && wanted === "text") return "format";
    const text = checkExposition(body, format);
    return text === undefined ? "malformed" : { format, text };
  }

  #fetch(host: string, wanted: ExpositionFormat): Promise<Answer | Failure> {
    const { port, path } = this.#target;
    const accept =
      wanted === "openmetrics" ? `${contentTypes.openmetrics}, text/plain;q=0.5` : contentTypes.text;
    return new Promise((resolve) => {
      const asked = request({ host, port, path, agent: false, headers: { accept } }, (response) => {
        const chunks: Buffer[] = [];
        let size = 0;
        if (response.statusCode !== 200) over("status");
        response.on("data", (chunk: Buffer) => {
          size += chunk.length;
          if (size > maxBytes) over("too-large");
          else chunks.push(chunk);
        });
        response.on("error", () => over("unreachable"));
        response.on("end", () =>
          over({
            type: response.headers["content-type"] ?? "",
            body: Buffer.concat(chunks).toString("utf8"),
          }),
        );
      });
      const timer = setTimeout(() => over("timeout"), timeoutMs);
      const over = (result: Answer | Failure): void => {
        clearTimeout(timer);
        resolve(result);
        asked.destroy();
      };
      asked.on("error", () => over("unreachable"));
      asked.end();
    });
  }
}
