/** The compose file as Docker would read it, as far as can be told without Docker. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { parse } from "yaml";
import { jaegerProgram } from "../packages/testkit/src/jaeger.ts";
import { findPeer } from "../packages/testkit/src/peer.ts";

interface Mount {
  readonly type: "bind" | "volume";
  readonly source: string;
  readonly target: string;
}

interface Service {
  readonly image: string;
  readonly network_mode: string;
  readonly command?: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  readonly volumes?: readonly Mount[];
}

const folder = join(import.meta.dirname, "..", "observability");
const read = (file: string) => parse(readFileSync(join(folder, file), "utf8"));
const { services, volumes } = read("compose.yaml") as {
  readonly services: Readonly<Record<"prometheus" | "grafana" | "jaeger", Service>>;
  readonly volumes: Readonly<Record<string, object>>;
};

/** As compose does it: `${NAME:-default}`, and `$$` for a dollar. */
function interpolate(text: string, env: Readonly<Record<string, string>> = {}): string {
  return text.replace(/\$\$|\$\{(\w+):-([^}]*)\}/g, (all, name, otherwise) =>
    all === "$$" ? "$" : (env[name] ?? otherwise),
  );
}

test("every image has a version, and every mount a source", () => {
  assert.deepEqual(Object.keys(services), ["prometheus", "grafana", "jaeger"]);
  for (const [name, service] of Object.entries(services)) {
    assert.match(service.image, /^[a-z/-]+:v?\d+\.\d+\.\d+$/, name);
    for (const { type, source } of service.volumes ?? []) {
      if (type === "bind") assert.ok(existsSync(join(folder, source)), `${name}: ${source}`);
      else assert.ok(source in volumes, `${name}: ${source}`);
    }
  }
});

test("nothing but the collector listens on another address than the machine's own", () => {
  const { prometheus, grafana, jaeger } = services;
  const listens = [...prometheus.command!, ...jaeger.command!]
    .join("\n")
    .matchAll(/--([\w.-]*(?:host-port|listen-address))=(\S+)/g);
  const addresses = [...listens].map(([, flag, address]) => [
    flag,
    interpolate(address!, { WEFT_COLLECTOR_ADDRESS: "10.0.0.1" }),
  ]);
  assert.equal(addresses.length, 8);
  for (const [flag, address] of addresses) {
    assert.match(address!, flag!.includes("otlp") ? /^10\.0\.0\.1:/ : /^127\.0\.0\.1:/, flag);
  }
  assert.equal(grafana.environment.GF_SERVER_HTTP_ADDR, "127.0.0.1");
});

test("Grafana is given the data sources and the dashboards", () => {
  const targets = new Map(services.grafana.volumes!.map(({ source, target }) => [source, target]));
  assert.equal(targets.get("./grafana-provisioning"), "/etc/grafana/provisioning");
  const [provider] = read("grafana-provisioning/dashboards/weft.yaml").providers;
  assert.equal(provider.options.path, targets.get("./grafana"));
  const home = services.grafana.environment.GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH!;
  assert.ok(readdirSync(join(folder, "grafana")).includes(home.slice(provider.options.path.length + 1)));
  const { datasources } = read("grafana-provisioning/datasources/weft.yaml");
  assert.deepEqual(
    datasources.map(({ type, url }: { type: string; url: string }) => [type, url]),
    [
      ["prometheus", "http://127.0.0.1:9090"],
      ["jaeger", "http://127.0.0.1:16686"],
    ],
  );
});

const promtool = findPeer("promtool");
test("Prometheus is started with a configuration that it takes, for a control plane anywhere", {
  skip: promtool ? false : "no promtool found",
}, () => {
  const scratch = mkdtempSync(join(tmpdir(), "weft-compose-"));
  mkdirSync(join(scratch, "bin"));
  writeFileSync(join(scratch, "bin", "prometheus"), '#!/bin/sh\necho "$1"\n', { mode: 0o755 });
  const script = interpolate(services.prometheus.command![0]!)
    .replaceAll("/etc/weft/", `${join(folder, "prometheus")}/`)
    .replaceAll("/prometheus/", `${scratch}/data/`)
    .replaceAll(`${folder}${scratch}/data/`, `${join(folder, "prometheus")}/`);
  const env = {
    PATH: `${join(scratch, "bin")}:${process.env.PATH}`,
    WEFT_CONTROL_PLANE: "10.240.77.2:15014",
  };
  const said = execFileSync("sh", ["-ec", script], { env, encoding: "utf8" });
  const config = said.trim().slice("--config.file=".length);
  assert.match(readFileSync(config, "utf8"), /url: http:\/\/10\.240\.77\.2:15014\/prometheus\/targets/);
  execFileSync(promtool!, ["check", "config", config], { stdio: "pipe" });
  rmSync(scratch, { recursive: true });
});

test("Jaeger knows every flag that it is given", {
  skip: jaegerProgram ? false : "no Jaeger found",
}, () => {
  const known = execFileSync(jaegerProgram!, ["help"], {
    encoding: "utf8",
    env: { ...process.env, ...services.jaeger.environment },
  });
  for (const flag of services.jaeger.command!) assert.ok(known.includes(`${flag.split("=")[0]} `), flag);
});
