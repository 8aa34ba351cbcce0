import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { packageRoot } from "../../package-root.ts";
import { expressionsOf } from "./dashboard-expressions.ts";
import type { ObserverPrograms } from "./find-observers.ts";
import { PrometheusClient } from "./prometheus-client.ts";
import { prometheusConfig } from "./prometheus-config.ts";

/** Where the observers of a demo are. */
export interface ObserverPlace {
  /** Of the demo's network, where nobody but the demo and this machine reaches it. */
  readonly address: string;
  readonly runDirectory: string;
  /** `http://HOST:PORT` of the control plane's metrics. */
  readonly controlPlane: string;
}

const ports = { prometheus: 9090, jaegerQuery: 16686, otlpGrpc: 4317, otlpHttp: 4318 } as const;
const scrapeSeconds = 2;

/** Prometheus and Jaeger beside the demo, provisioned with what is published for a mesh. */
export class Observers {
  readonly prometheus: PrometheusClient;
  readonly prometheusUrl: string;
  readonly jaegerUrl: string;
  readonly collector: { readonly address: string; readonly port: number };
  readonly #programs: ObserverPrograms;
  readonly #place: ObserverPlace;

  constructor(programs: ObserverPrograms, place: ObserverPlace) {
    this.#programs = programs;
    this.#place = place;
    this.prometheusUrl = `http://${place.address}:${ports.prometheus}`;
    this.prometheus = new PrometheusClient(this.prometheusUrl);
    this.jaegerUrl = `http://${place.address}:${ports.jaegerQuery}`;
    this.collector = { address: place.address, port: ports.otlpGrpc };
  }

  /** Writes Prometheus's configuration; the command lines to run, by name. */
  prepare(): Readonly<Record<"prometheus" | "jaeger", readonly string[]>> {
    const { address, controlPlane, runDirectory } = this.#place;
    const folder = join(runDirectory, "prometheus");
    mkdirSync(folder, { recursive: true });
    const published = join(observability, "prometheus");
    const config = prometheusConfig(readFileSync(join(published, "prometheus.yml"), "utf8"), {
      controlPlane,
      rules: published,
      intervalSeconds: scrapeSeconds,
    });
    writeFileSync(join(folder, "prometheus.yml"), config);
    return {
      prometheus: [
        this.#programs.prometheus,
        `--config.file=${join(folder, "prometheus.yml")}`,
        `--storage.tsdb.path=${join(folder, "data")}`,
        `--web.listen-address=${address}:${ports.prometheus}`,
      ],
      jaeger: [
        this.#programs.jaeger,
        "--memory.max-traces=20000",
        ...Object.entries(jaegerPorts).map(([flag, port]) => `--${flag}=${address}:${port}`),
      ],
    };
  }

  /** MeshConfig that names the collector; the path of its file. */
  writeMeshConfig(): string {
    const opentelemetry = { service: collectorHost, port: this.collector.port };
    return this.#write("mesh-config.json", { extensionProviders: [{ name: "jaeger", opentelemetry }] });
  }

  /** What makes every proxy of the mesh trace every call; the path of its file. */
  writeTracing(): string {
    const { address, port } = this.collector;
    const ports = [{ number: port, name: "grpc-otlp", protocol: "GRPC" }];
    return this.#write("tracing.json", {
      apiVersion: "v1",
      kind: "List",
      items: [
        {
          apiVersion: "networking.istio.io/v1",
          kind: "ServiceEntry",
          metadata: { name: "jaeger", namespace: "istio-system" },
          spec: { hosts: [collectorHost], resolution: "STATIC", ports, endpoints: [{ address }] },
        },
        {
          apiVersion: "telemetry.istio.io/v1",
          kind: "Telemetry",
          metadata: { name: "traces", namespace: "istio-system" },
          spec: { tracing: [{ providers: [{ name: "jaeger" }], randomSamplingPercentage: 100 }] },
        },
      ],
    });
  }

  #write(name: string, content: object): string {
    const file = join(this.#place.runDirectory, name);
    writeFileSync(file, JSON.stringify(content, undefined, 2));
    return file;
  }

  /** True when both answer. */
  async areReady(): Promise<boolean> {
    const isJaegerReady = fetch(`${this.jaegerUrl}/api/services`).then(
      (answer) => answer.ok,
      () => false,
    );
    return (await this.prometheus.isReady()) && (await isJaegerReady);
  }
}

/** A name that workloads of the demo would use, had they something to say to it. */
const collectorHost = "jaeger.observe.example";

/** Every port that Jaeger would otherwise open on all addresses. */
const jaegerPorts: Readonly<Record<string, number>> = {
  "query.http-server.host-port": ports.jaegerQuery,
  "query.grpc-server.host-port": 16685,
  "collector.otlp.grpc.host-port": ports.otlpGrpc,
  "collector.otlp.http.host-port": ports.otlpHttp,
  "collector.grpc-server.host-port": 14250,
  "collector.http-server.host-port": 14268,
  "admin.http.host-port": 14269,
};

const built = join(packageRoot, "dist", "observability");
/** Grafana's dashboards, and Prometheus's rules and configuration: in the package, or in the clone around it. */
const observability = existsSync(built) ? built : join(packageRoot, "..", "..", "observability");

/** Every different expression of the dashboards that come with Weft. */
export function dashboardExpressions(): readonly string[] {
  const folder = join(observability, "grafana");
  const all = readdirSync(folder).flatMap((name) => expressionsOf(readFileSync(join(folder, name), "utf8")));
  return [...new Set(all)];
}
