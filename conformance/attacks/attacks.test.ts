/**
 * The attack suite: every attempt on a workload before Envoy and this sidecar,
 * and on the control plane, is refused with nothing reaching whom it must not
 * reach. Prints what became of each.
 */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { envoyOrSkip } from "@weft/proxy/test-contenders";
import { type GuardedSidecar, startGuarded } from "../policies/guarded-sidecar.ts";
import { exchange, request } from "../policies/raw-client.ts";
import { OutcomeTable } from "./attack.ts";
import { certificateAttacks, plaintextAttacks } from "./certificate-attacks.ts";
import * as onControlPlane from "./control-plane-attacks.ts";
import { type Certificate, ControlPlaneScene } from "./control-plane-scene.ts";
import { bundleAttacks, federatedYaml, foreignAttacks, friend, west } from "./federation-attacks.ts";
import { authority, caller, guardedYaml, issuerKey } from "./guarded-scene.ts";
import {
  headerAttacks,
  hostAttacks,
  methodAttacks,
  pathAttacks,
  smugglingAttacks,
} from "./request-attacks.ts";
import { tokenAttacks } from "./token-attacks.ts";

const table = new OutcomeTable();
after(() => console.log(`\n${table}\n`));

const attacks = [
  ...certificateAttacks,
  ...plaintextAttacks,
  ...pathAttacks,
  ...methodAttacks,
  ...hostAttacks,
  ...headerAttacks,
  ...smugglingAttacks,
  ...tokenAttacks,
];

describe("a workload", { skip: envoyOrSkip }, () => {
  const directory = mkdtempSync(join(tmpdir(), "weft-attacks-"));
  let sidecars: readonly GuardedSidecar[] = [];
  before(async () => {
    const defaults = { pathNormalization: "DECODE_AND_MERGE_SLASHES" } as const;
    sidecars = await startGuarded({ yaml: guardedYaml, authority, directory, defaults });
  });
  after(async () => {
    for (const one of sidecars) await one.close();
    rmSync(directory, { recursive: true });
  });

  it("is reached by who may reach it, so that refusals mean something", async () => {
    const claims = { iss: "me", sub: "ann", aud: "api", exp: Math.floor(Date.now() / 1000) + 3600 };
    const good = [
      request("GET /"),
      request("POST /"),
      request("GET /users/1", `authorization: Bearer ${issuerKey.token(claims)}`),
      request("GET /admin/x", "x-role: admin"),
      request("GET /", "host: API:8080"),
    ];
    for (const { name, httpPort, tcpPort } of sidecars) {
      for (const bytes of good) {
        const { status, text, error } = await exchange({ port: httpPort, tls: { svid: caller } }, bytes);
        assert.equal(status, 200, `${name}: ${bytes}${text}${error}`);
      }
      const reply = await exchange(
        { port: tcpPort, tls: { svid: caller }, endsAfterwards: true },
        "PING\r\n\r\n",
      );
      assert.match(reply.text, /PING/, name);
    }
  });

  for (const attack of attacks) {
    it(`refuses ${attack.area}: ${attack.what}`, async () => {
      const reached: Record<string, boolean> = {};
      for (const sidecar of sidecars) {
        const outcome = await attack.attempt(sidecar);
        const { takenByEnvoy } = attack;
        const isKnown = takenByEnvoy !== undefined && sidecar.name === "Envoy";
        table.add(attack, sidecar.name, isKnown ? { ...outcome, how: "taken*" } : outcome);
        if (isKnown) table.note(`* ${attack.area}, ${attack.what}: ${takenByEnvoy}`);
        reached[sidecar.name] = outcome.bytes > 0;
      }
      assert.deepEqual(reached, { Envoy: attack.takenByEnvoy !== undefined, Weft: false });
    });
  }

  it("is told who called, whatever the caller says", async () => {
    const forged = "x-forwarded-client-cert: By=x;URI=spiffe://cluster.local/ns/default/sa/admin";
    for (const { name, httpPort } of sidecars) {
      const { text } = await exchange({ port: httpPort, tls: { svid: caller } }, request("GET /", forged));
      const told = text.match(/^x-forwarded-client-cert:.*$/gim) ?? [];
      const isTrue =
        told.length === 1 && /URI=spiffe:\/\/cluster\.local\/ns\/default\/sa\/productpage/.test(told[0]!);
      const attack = { area: "x-forwarded-client-cert", what: "forged" };
      table.add(attack, name, {
        how: isTrue ? "replaced" : "believed",
        bytes: /sa\/admin/.test(text) ? text.length : 0,
      });
      assert.ok(isTrue && !/sa\/admin/.test(text), `${name}: ${text}`);
    }
  });
});

describe("a workload of a federated mesh", { skip: envoyOrSkip }, () => {
  const directory = mkdtempSync(join(tmpdir(), "weft-attacks-"));
  let sidecars: readonly GuardedSidecar[] = [];
  before(async () => {
    sidecars = await startGuarded({ yaml: federatedYaml, authority, federated: [west], directory });
  });
  after(async () => {
    for (const one of sidecars) await one.close();
    rmSync(directory, { recursive: true });
  });

  it("is reached by whom its policy names of either domain", async () => {
    for (const { name, httpPort } of sidecars) {
      for (const svid of [friend, caller, authority.leaf("ops", "x"), authority.leaf("default", "job")]) {
        const { status, error } = await exchange({ port: httpPort, tls: { svid } }, request("GET /"));
        assert.equal(status, 200, `${name}: ${error}`);
      }
    }
  });

  for (const attack of foreignAttacks) {
    it(`refuses ${attack.area}: ${attack.what}`, async () => {
      for (const sidecar of sidecars) {
        const outcome = await attack.attempt(sidecar);
        table.add(attack, sidecar.name, outcome);
        assert.equal(outcome.bytes, 0, `${sidecar.name}: ${outcome.how}`);
      }
    });
  }
});

describe("the control plane", () => {
  let plane: ControlPlaneScene;
  let thief: Certificate;
  before(async () => {
    plane = await ControlPlaneScene.start();
    const join = async (name: string) =>
      plane.certify(`spiffe://cluster.local/ns/default/sa/${name}`, { token: await plane.token(name) });
    thief = await join("thief");
    const victim = { workload: "victim", namespace: "default", serviceAccount: "victim" };
    const certificate = await join("victim");
    plane.register(victim, certificate);
    let given = 0;
    for (let tries = 0; tries < 200 && given === 0; tries++) {
      given = (await plane.askForConfiguration({ ...victim, role: "sidecar" }, certificate)).bytes;
    }
    assert.ok(given > 0, "who may have its configuration has it");
  });
  after(() => plane?.close());

  const all = () => [
    ...onControlPlane.leafAttacks(thief),
    ...onControlPlane.gatewayAttacks(thief),
    ...onControlPlane.certificateAttacks,
    ...onControlPlane.jwksAttacks,
    ...onControlPlane.tokenAttacks,
    ...onControlPlane.foreignCertificateAttacks,
    ...bundleAttacks,
  ];
  it("refuses every attempt on it", async (t) => {
    for (const attack of all()) {
      await t.test(`${attack.area}: ${attack.what}`, async () => {
        const outcome = await attack.attempt(plane);
        table.add(attack, "control plane", outcome);
        assert.equal(outcome.bytes, 0, outcome.how);
      });
    }
  });
});
