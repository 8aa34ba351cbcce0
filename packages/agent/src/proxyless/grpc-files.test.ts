import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { parseSpiffeId } from "@weft/identity/spiffe-id";
import { TestCa } from "@weft/testkit/test-ca";
import { assembleSvid, type Svid } from "../enrolment/svid.ts";
import { GrpcFiles } from "./grpc-files.ts";

const ca = new TestCa();
const parent = mkdtempSync(join(tmpdir(), "weft-grpc-files-"));
after(() => rmSync(parent, { recursive: true, force: true }));

function issue(): Svid {
  const leaf = ca.leaf("default", "web");
  const spiffeId = parseSpiffeId("spiffe://cluster.local/ns/default/sa/web");
  return assembleSvid(leaf.chainPem, leaf.keys, { spiffeId, trustDomain: ca.trustDomain }, Date.now());
}

test("the files that the bootstrap names hold each rotation whole, for their owner alone", () => {
  const folder = join(parent, "grpc");
  const first = issue();
  const node = { id: "sidecar~127.0.0.1~web.default~default.svc.cluster.local", cluster: "web.default" };
  const files = new GrpcFiles({
    folder,
    owner: undefined,
    xdsSocketPath: "/run/weft/xds.sock",
    node: { ...node, metadata: { GENERATOR: "grpc" } },
    svid: first,
  });
  const bootstrap = JSON.parse(readFileSync(files.bootstrapPath, "utf8"));
  assert.equal(bootstrap.xds_servers[0].server_uri, "unix:/run/weft/xds.sock");
  const { config } = bootstrap.certificate_providers.default;
  const held = () => ({
    chainPem: readFileSync(config.certificate_file, "utf8"),
    keyPem: readFileSync(config.private_key_file, "utf8"),
    bundlePem: readFileSync(config.ca_certificate_file, "utf8"),
  });
  const of = ({ chainPem, keyPem, bundlePem }: Svid) => ({ chainPem, keyPem, bundlePem });
  assert.deepEqual(held(), of(first));
  for (let i = 0; i < 3; i += 1) {
    const next = issue();
    files.rotate(next);
    assert.deepEqual(held(), of(next));
  }
  assert.equal(statSync(config.private_key_file).mode & 0o777, 0o600);
  assert.equal(statSync(folder).mode & 0o777, 0o700);
  assert.deepEqual(readdirSync(folder).sort(), [
    "bootstrap.json",
    "certificates",
    "certificates-3",
    "certificates-4",
  ]);
});
