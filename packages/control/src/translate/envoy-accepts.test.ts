import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { copyFileSync, globSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { findPeer } from "@weft/testkit/peer";
import { RevokingCa } from "@weft/testkit/revoking-ca";
import { TestCa } from "@weft/testkit/test-ca";
import { envoyBootstrap } from "./envoy-bootstrap.ts";
import { type Fixture, fixture, readFixture } from "./mesh-fixture.ts";
import { translateSidecar } from "./translate-sidecar.ts";

const envoy = findPeer("envoy");
const testdata = fileURLToPath(new URL("../../testdata/", import.meta.url));

/** What Envoy never declares. */
const notEnvoys = {
  hasIstioStatsNetwork: false,
  negotiatesHttp: false,
  isProxyless: false,
  asksForHosts: false,
};

/** Loads everything one sidecar is given into real Envoy, which checks more than the messages' types. */
function judge({ mesh, features }: Fixture, folder: string): void {
  for (const [id, workload] of mesh.workloads) {
    const file = join(folder, `${id}.json`);
    const bootstrap = envoyBootstrap(translateSidecar(mesh, workload, { ...features, ...notEnvoys }));
    writeFileSync(file, JSON.stringify(bootstrap).replaceAll("/etc/certs/", certificatesIn(folder)));
    const args = ["--mode", "validate", "-c", file, "-l", "error"];
    const { status, stderr, stdout } = spawnSync(envoy!, args, { encoding: "utf8", timeout: 60_000 });
    assert.equal(status, 0, `${id}: ${stderr}${stdout}`);
  }
}

const ca = new TestCa();
const clients = new RevokingCa(mkdtempSync(join(tmpdir(), "weft-clients-")), []);
after(() => rmSync(clients.folder, { recursive: true }));

/** Envoy reads the files it is to serve. */
function certificatesIn(folder: string): string {
  for (const name of ["tls", "rsa", "ecdsa"]) {
    const { chainPem, keyPem } = ca.leaf(undefined, undefined, { dnsNames: [`${name}.example.com`] });
    writeFileSync(join(folder, `${name}.crt`), chainPem);
    writeFileSync(join(folder, `${name}.key`), keyPem);
  }
  copyFileSync(clients.file("ca.pem"), join(folder, "ca.crt"));
  copyFileSync(clients.file("ca.crl"), join(folder, "ca.crl"));
  return `${folder}/`;
}

describe("real Envoy accepts", {
  skip: envoy ? false : "no envoy on PATH, in WEFT_PEERS or ~/.cache/weft/peers",
}, () => {
  const cases: [name: string, make: () => Fixture][] = globSync("golden/*.in.yaml", { cwd: testdata })
    .sort()
    .map((file) => [file, () => readFixture(new URL(`file://${testdata}${file}`))]);
  const workloads = ["productpage", "details", "ratings", "reviews"].map((service) => ({ service }));
  const rules = readFileSync(`${testdata}istio-bookinfo/destination-rule-all.yaml`, "utf8");
  for (const file of globSync("istio-bookinfo/*.yaml", { cwd: testdata }).sort()) {
    const text = readFileSync(testdata + file, "utf8");
    const yaml = text.includes("kind: DestinationRule") ? text : `${text}\n---\n${rules}`;
    cases.push([file, () => fixture({ workloads }, yaml)]);
  }
  const platform = ["platform-bookinfo.yaml", "platform-bookinfo-versions.yaml"]
    .map((file) => readFileSync(`${testdata}istio-bookinfo/${file}`, "utf8"))
    .join("\n---\n");
  for (const file of globSync("istio-bookinfo/gateway-api/*.yaml", { cwd: testdata }).sort()) {
    const yaml = `${readFileSync(testdata + file, "utf8")}\n---\n${platform}`;
    cases.push([file, () => fixture({ workloads }, yaml)]);
  }
  for (const [name, make] of cases) {
    it(name, () => {
      const folder = mkdtempSync(join(tmpdir(), "weft-envoy-"));
      try {
        judge(make(), folder);
      } finally {
        rmSync(folder, { recursive: true });
      }
    });
  }
});
