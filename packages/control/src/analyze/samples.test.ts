import assert from "node:assert/strict";
import { globSync, readdirSync, readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { formatDiagnostic } from "@weft/base/diagnostics";
import { writtenMesh } from "../inspect/written-mesh.ts";
import { analyze } from "./analyze.ts";

const testdata = new URL("../../testdata/", import.meta.url);

function findings(files: readonly string[]): string[] {
  const texts = files.map((name) => ({ name, text: readFileSync(new URL(name, testdata), "utf8") }));
  const { mesh, resources, diagnostics } = writtenMesh(texts, { trustDomain: "cluster.local" });
  return [...diagnostics, ...analyze(mesh, resources, [])]
    .filter(({ severity }) => severity !== "info")
    .map(formatDiagnostic);
}

/** True of a sample, whatever it is read with: kinds and fields that are not served yet, and what the samples themselves get wrong. */
const remarks = [
  /warning W1303: kind /,
  /warning W1301: VirtualService\.spec\.gateways /,
  /warning W2120: Gateway /,
  /certmanager-gateway\.yaml:33:15: warning IST0101: host cert-manager-resolver\.istio-system/,
  /grpcroute-weight\.yaml:20:7: warning IST0101: service echo-v3\./,
  /fault-injection-details-v1\.yaml:18:5: warning IST0130/,
];

function expectQuiet(files: readonly string[]): void {
  assert.deepEqual(
    findings(files).filter((line) => !remarks.some((remark) => remark.test(line))),
    [],
    files.join(" "),
  );
}

const kube = "istio-samples/bookinfo/platform/kube";
const bookinfo = ["istio-bookinfo/platform-bookinfo.yaml", "istio-bookinfo/platform-bookinfo-versions.yaml"];
const versions = [`${kube}/bookinfo-details-v2.yaml`, `${kube}/bookinfo-ratings-v2.yaml`];
/** Subsets that the tasks of Istio's documentation deploy beforehand. */
const deployed: Readonly<Record<string, readonly string[]>> = {
  "virtual-service-ratings-mysql.yaml": [`${kube}/bookinfo-ratings-v2-mysql.yaml`],
  "virtual-service-ratings-mysql-vm.yaml": [`${kube}/bookinfo-ratings-v2-mysql-vm.yaml`],
};

describe("analysis raises no false alarm on", () => {
  for (const file of readdirSync(new URL("istio-bookinfo/", testdata)).filter((name) =>
    name.endsWith(".yaml"),
  )) {
    if (file.startsWith("platform-")) continue;
    it(`bookinfo with ${file}`, () => {
      const hasRules = file.startsWith("destination-rule") || file.startsWith("fault-injection");
      const rules = hasRules ? [] : ["istio-bookinfo/destination-rule-all.yaml"];
      expectQuiet([...bookinfo, ...versions, ...(deployed[file] ?? []), ...rules, `istio-bookinfo/${file}`]);
    });
  }
  for (const file of readdirSync(new URL("istio-bookinfo/gateway-api/", testdata))) {
    it(`bookinfo with gateway-api/${file}`, () =>
      expectQuiet([...bookinfo, `istio-bookinfo/gateway-api/${file}`]));
  }
  for (const file of readdirSync(new URL(`${kube}/`, testdata))) {
    if (file.endsWith(".yaml")) it(`${kube}/${file}`, () => expectQuiet([`${kube}/${file}`]));
  }
  const apps: Readonly<Record<string, readonly string[]>> = {
    helloworld: ["helloworld.yaml", "helloworld-dual-stack.yaml"],
    httpbin: ["httpbin.yaml", "httpbin-nodeport.yaml"],
    "tcp-echo": ["tcp-echo-services.yaml", "tcp-echo.yaml", "tcp-echo-dual-stack.yaml"],
    websockets: ["app.yaml"],
    curl: ["curl.yaml"],
  };
  for (const [app, bases] of Object.entries(apps)) {
    const all = globSync(`istio-samples/${app}/**/*.yaml`, { cwd: testdata.pathname });
    for (const base of bases) {
      const routes = all.filter((file) => /gateway|route|20-v2|all-v1/.test(file));
      for (const file of [undefined, ...routes]) {
        if (file && base !== bases[0]) continue;
        it(`${app}/${base}${file ? ` with ${file}` : ""}`, () => {
          const before = file?.endsWith("20-v2.yaml") ? [file.replace("20-v2", "all-v1")] : [];
          const versions = file?.includes("gateway-api") ? all.filter((one) => one.includes("versions")) : [];
          const own = new Set([`istio-samples/${app}/${base}`, ...versions, ...(file ? [file] : [])]);
          if (before.length > 0) expectOverlay([...own], before);
          else expectQuiet([...own]);
        });
      }
    }
  }
  for (const file of readdirSync(new URL("gateway-api-mesh/tests/", testdata))) {
    it(`the Gateway API's ${file}`, () =>
      expectQuiet(["gateway-api-mesh/base/manifests.yaml", `gateway-api-mesh/tests/${file}`]));
  }
});

/** A file that replaces resources of one applied before, as `apply` does. */
function expectOverlay(files: readonly string[], before: readonly string[]): void {
  const lines = findings([...before, ...files]).filter(
    (line) => !remarks.some((remark) => remark.test(line)),
  );
  assert.deepEqual(
    lines.filter((line) => !/ W1011: | IST0109: /.test(line)),
    [],
  );
}
