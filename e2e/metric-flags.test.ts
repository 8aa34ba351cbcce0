/** How metrics are counted, as `weft run` or a ProxyConfig says: the same for both data planes. */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { parsePrometheusText } from "../packages/agent/src/metrics/parse-prometheus-text.ts";
import { contentTypes } from "../packages/base/src/exposition.ts";
import { PrometheusClient } from "../packages/cli/src/demo/observe/prometheus-client.ts";
import { findPeer } from "../packages/testkit/src/peer.ts";
import { hasPrometheus, startPrometheus } from "../packages/testkit/src/prometheus.ts";
import { LocalMesh } from "./local-mesh.ts";

const envoy = findPeer("envoy");
const app = (address: string) =>
  `require("http").createServer((q, s) => { s.statusCode = Number(q.url.slice(1)) || 200; s.end("ok"); }).listen(8080, ${JSON.stringify(address)})`;
const permissive = `
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: { name: default, namespace: istio-system }
spec: { mtls: { mode: PERMISSIVE } }`;
const envoyFlags = ["--proxy", "envoy", "--envoy-path", envoy ?? ""];
const counted = ["--max-series", "5", "--series-idle", "2s", "--native-histograms"];
/** The same in a ProxyConfig. */
const declared = ["--label", "counted=declared"];
const config = `
apiVersion: networking.istio.io/v1beta1
kind: ProxyConfig
metadata: { name: counted }
spec:
  selector: { matchLabels: { counted: declared } }
  environmentVariables:
    WEFT_METRICS_MAX_SERIES: "5"
    WEFT_METRICS_SERIES_IDLE: 2s
    WEFT_METRICS_NATIVE_HISTOGRAMS: "true"`;
const kinds = [
  ["weft", counted],
  ["envoy", [...envoyFlags, ...counted]],
  ["weft-declared", declared],
  ["envoy-declared", [...envoyFlags, ...declared]],
] as const;
const statuses = [200, 201, 202, 203, 404, 409, 500];

describe("what is said of metrics", { skip: envoy ? false : "no Envoy found" }, () => {
  let mesh: LocalMesh;
  before(async () => {
    mesh = await LocalMesh.start();
    const file = join(mesh.state, "permissive.yaml");
    writeFileSync(file, `${permissive}\n---${config}\n`);
    assert.equal((await mesh.weft("apply", "-f", file)).code, 0);
    for (const [i, [kind, flags]] of kinds.entries()) {
      const ports = ["--port", "8080:http", "--inbound-port", "8080=18080"];
      const program = [process.execPath, "-e", app(mesh.addressOf(i + 1))];
      await mesh.run(kind, i + 1, [...ports, ...flags], program);
    }
  });
  after(() => mesh?.close());

  const page = (i: number, accept: string) =>
    fetch(`http://${mesh.addressOf(i + 1)}:15090/stats/prometheus`, { headers: { accept } });

  async function requests(i: number): Promise<{ readonly labels: string[]; readonly total: number }> {
    const text = await (await page(i, "text/plain")).text();
    const families = parsePrometheusText(text, (name) => name === "istio_requests_total");
    const series = families.flatMap((family) => family.series);
    const labels = series.map(({ labels: { response_code } }) => response_code ?? "").sort();
    return { labels, total: series.reduce((sum, { value }) => sum + value, 0) };
  }

  for (const [i, [kind]] of kinds.entries()) {
    test(`${kind}: series beyond --max-series count together, and go after --series-idle`, async () => {
      const call = async (status: number) =>
        (await fetch(`http://${mesh.addressOf(i + 1)}:18080/${status}`)).status === status;
      await mesh.until("it serves", () => call(200).catch(() => false));
      await mesh.until("what is idle is forgotten", async () => (await requests(i)).total === 0);
      await mesh.until("all have been counted, some of them together", async () => {
        for (const status of statuses) assert.ok(await call(status));
        const { labels } = await requests(i);
        return labels.length === 6 && labels.includes("overflow");
      });
      await mesh.until("they are forgotten as well", async () => (await requests(i)).total === 0);
    });
  }

  for (const [i, [kind]] of kinds.entries()) {
    test(`${kind}: --native-histograms are what Prometheus reads of both, and weft stat of Prometheus`, {
      skip: hasPrometheus ? false : "no Prometheus found",
    }, async () => {
      const accept =
        "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited";
      const response = await page(i, accept);
      assert.equal(response.headers.get("content-type"), contentTypes.protobuf);
      await response.arrayBuffer();
      // That the flags and the variables say the same is known by then.
      if (kind.endsWith("declared")) return;
      const targets = [`${mesh.addressOf(i + 1)}:15090`];
      const prometheus = await startPrometheus({ targets, features: ["native-histograms"] });
      try {
        const flags = ["stat", kind, "--window", "30s", "--prometheus", prometheus.url, "-o", "json"];
        await mesh.until("a quantile of it is known", async () => {
          await fetch(`http://${mesh.addressOf(i + 1)}:18080/`);
          const { code, stdout } = await mesh.weft(...flags);
          return code === 0 && JSON.parse(stdout).rows[0]?.p50Ms > 0;
        });
        const asked = new PrometheusClient(prometheus.url);
        const bucket = "istio_request_duration_milliseconds_bucket";
        assert.equal(await asked.countSeries(bucket), 0, "there are no classic buckets beside them");
      } finally {
        await prometheus.close();
      }
    });
  }
});
