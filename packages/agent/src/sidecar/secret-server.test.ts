import assert from "node:assert/strict";
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { fromBinary } from "@bufbuild/protobuf";
import { anyUnpack } from "@bufbuild/protobuf/wkt";
import { systemClock } from "@weft/base/clock";
import { parseSpiffeId, parseTrustDomain } from "@weft/identity/spiffe-id";
import { TestCa } from "@weft/testkit/test-ca";
import { AdsClient } from "@weft/xds/ads-client";
import type { CertificateValidationContext } from "@weft/xds/gen/envoy/extensions/transport_sockets/tls/v3/common_pb";
import { type Secret, SecretSchema } from "@weft/xds/gen/envoy/extensions/transport_sockets/tls/v3/secret_pb";
import { SPIFFECertValidatorConfigSchema } from "@weft/xds/gen/envoy/extensions/transport_sockets/tls/v3/tls_spiffe_validator_config_pb";
import { typeUrl } from "@weft/xds/type-url";
import { assembleSvid, type Svid } from "../enrolment/svid.ts";
import { startSecretServer } from "./secret-server.ts";

const ca = new TestCa();
const folder = mkdtempSync(join(tmpdir(), "weft-sds-"));
after(() => rmSync(folder, { recursive: true, force: true }));

function issue(): Svid {
  const leaf = ca.leaf("default", "web");
  const spiffeId = parseSpiffeId("spiffe://cluster.local/ns/default/sa/web");
  return assembleSvid(leaf.chainPem, leaf.keys, { spiffeId, trustDomain: ca.trustDomain }, Date.now());
}

function textOf(secret: Secret | undefined): string {
  const source =
    secret?.type.case === "tlsCertificate"
      ? secret.type.value.certificateChain
      : secret?.type.case === "validationContext"
        ? secret.type.value.trustedCa
        : undefined;
  return source?.specifier.case === "inlineString" ? source.specifier.value : "";
}

test("a sidecar gets certificate and trust bundle, and each rotation at once", async () => {
  const path = join(folder, "sds", "sds.sock");
  const first = issue();
  const acknowledged: Svid[] = [];
  const server = await startSecretServer({
    path,
    svid: first,
    owner: undefined,
    clock: systemClock,
    talk: (line) => assert.fail(line),
    onHeld: (svid) => {
      acknowledged.push(svid);
      onUpdate();
    },
  });
  const held = new Map<string, Secret>();
  let onUpdate = () => {};
  const until = async (isDone: () => boolean) => {
    while (!isDone()) await new Promise<void>((resolve) => (onUpdate = resolve));
  };
  const client = new AdsClient({
    clock: systemClock,
    target: { address: { path } },
    node: () => ({ id: "sidecar" }),
    mode: "delta",
    service: "secret",
    handler: {
      onResources(_type, { added }) {
        for (const { name, body } of added) held.set(name, fromBinary(SecretSchema, body));
        onUpdate();
      },
    },
  });
  client.subscribe(typeUrl.secret, ["default", "ROOTCA"]);
  client.start();
  await until(() => held.size === 2);
  assert.equal(textOf(held.get("default")), first.chainPem);
  assert.equal(textOf(held.get("ROOTCA")), ca.bundlePem);

  await until(() => acknowledged.length === 1);
  const second = issue();
  server.rotate(second);
  await until(() => textOf(held.get("default")) === second.chainPem);
  assert.notEqual(second.chainPem, first.chainPem);
  await until(() => acknowledged.length === 2);
  assert.deepEqual(acknowledged, [first, second], "each once, when the sidecar has answered for all of it");

  const foreign = new TestCa({ trustDomain: "west.example" });
  const { trustDomain, root } = foreign;
  const bundle = { trustDomain, roots: [root], jwtKeys: [], sequence: 1n, refreshHintS: 60 };
  const gone = { ...bundle, trustDomain: parseTrustDomain("gone.example"), roots: [] };
  server.setForeign({ bundles: [bundle, gone], aliases: [parseTrustDomain("old.example")] });
  await until(() => domainsOf(held.get("ROOTCA")).length > 0);
  assert.deepEqual(
    domainsOf(held.get("ROOTCA")),
    [
      ["cluster.local", ca.bundlePem],
      ["old.example", ca.bundlePem],
      ["west.example", root.pem],
    ],
    "each trust domain has roots of its own",
  );
  server.setForeign({ bundles: [], aliases: [] });
  await until(() => textOf(held.get("ROOTCA")) === ca.bundlePem);

  assert.equal(statSync(path).mode & 0o777, 0o600, "only the owner may connect");
  assert.equal(statSync(join(folder, "sds")).mode & 0o777, 0o700);
  client.close();
  await server.close();
});

test("where it is asked for, the own trust domain alone has roots of its own too", async () => {
  const path = join(folder, "sds", "by-domain.sock");
  const options = { path, svid: issue(), owner: undefined, clock: systemClock, talk: () => {} };
  const server = await startSecretServer({ ...options, byDomain: true });
  const held = Promise.withResolvers<Secret>();
  const client = new AdsClient({
    clock: systemClock,
    target: { address: { path } },
    node: () => ({ id: "sidecar" }),
    mode: "delta",
    service: "secret",
    handler: {
      onResources: (_type, { added }) => held.resolve(fromBinary(SecretSchema, added[0]!.body)),
    },
  });
  client.subscribe(typeUrl.secret, ["ROOTCA"]);
  client.start();
  assert.deepEqual(domainsOf(await held.promise), [["cluster.local", ca.bundlePem]]);
  client.close();
  await server.close();
});

test("a path that is too long for a socket is refused with the flag", async () => {
  const path = join(folder, "x".repeat(120), "sds.sock");
  const svid = issue();
  await assert.rejects(startSecretServer({ path, svid, owner: undefined, clock: systemClock, talk() {} }), {
    name: "UserError",
    hint: "choose a shorter --run-dir",
  });
});

/** What a SPIFFE validator verifies by: trust domains and their roots. */
function domainsOf(secret: Secret | undefined): (readonly [name: string, pem: unknown])[] {
  const { value } = secret!.type as { value: CertificateValidationContext };
  const any = value.customValidatorConfig?.typedConfig;
  const config = any && anyUnpack(any, SPIFFECertValidatorConfigSchema);
  return (config?.trustDomains ?? []).map(({ name, trustBundle }) => [name, trustBundle?.specifier.value]);
}
