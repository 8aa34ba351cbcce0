/**
 * Programs that know SPIFFE and nothing of Weft: go-spiffe gets certificates,
 * trust bundles and tokens from the agent, unmodified, and keeps up with rotations.
 */
import assert from "node:assert/strict";
import { statSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { findPeer } from "../packages/testkit/src/peer.ts";
import { LocalMesh } from "./local-mesh.ts";

const program = findPeer("weft-spiffe-go");
const names = ["alpha", "beta"] as const;
type Name = (typeof names)[number];
const hosts = { alpha: 1, beta: 2 } as const;
const idOf = (name: Name) => `spiffe://cluster.local/ns/default/sa/${name}`;
type Answer = Readonly<Record<string, string | number | boolean | readonly string[]>>;

describe("go-spiffe as the application", {
  skip: program ? false : "no weft-spiffe-go in WEFT_PEERS or ~/.cache/weft/peers",
}, () => {
  let mesh: LocalMesh;

  before(async () => {
    mesh = await LocalMesh.start();
    for (const name of names) {
      const address = mesh.addressOf(hosts[name]);
      await mesh.run(name, hosts[name], [], [program!, `${address}:8443`, `${address}:9000`]);
    }
    for (const name of names) {
      await mesh.until(`${name} has an identity`, async () => (await ask(name, "x509")).id === idOf(name));
      await mesh.until(
        `${name} has keys`,
        async () => (await ask(name, "bundles"))["jwt cluster.local"] === 1,
      );
    }
  });
  after(() => mesh?.close());

  async function ask(name: Name, what: string, query: Record<string, string> = {}): Promise<Answer> {
    try {
      const url = `http://${mesh.addressOf(hosts[name])}:9000/${what}?${new URLSearchParams(query)}`;
      return (await (await fetch(url)).json()) as Answer;
    } catch (error) {
      return { error: String(error) };
    }
  }

  test("two programs authenticate each other by mutual TLS of the library's own", async () => {
    const address = `${mesh.addressOf(hosts.beta)}:8443`;
    assert.deepEqual(await ask("alpha", "dial", { address, id: idOf("beta") }), { seenAs: idOf("alpha") });
    const wrong = await ask("alpha", "dial", { address, id: idOf("alpha") });
    assert.match(String(wrong.error), /unexpected ID/);
  });

  test("a token is for its subject and audience, for the library and the Workload API alike", async () => {
    const { token, id, seconds } = await ask("alpha", "jwt", { audience: "ledger" });
    assert.equal(id, idOf("alpha"));
    assert.ok(Number(seconds) > 100 && Number(seconds) <= 300);
    const again = await ask("alpha", "jwt", { audience: "ledger" });
    assert.equal(again.token, token, "the same until half of its life");
    const validate = (text: string, audience: string) => ask("beta", "validate", { token: text, audience });
    assert.deepEqual(await validate(String(token), "ledger"), {
      id: idOf("alpha"),
      same: true,
      audience: ["ledger"],
    });
    assert.match(String((await validate(String(token), "bank")).error), /audience/);
    const [header, , signature] = String(token).split(".");
    const claims = { sub: idOf("beta"), aud: ["ledger"], exp: Math.floor(Date.now() / 1000) + 100 };
    const forged = `${header}.${Buffer.from(JSON.stringify(claims)).toString("base64url")}.${signature}`;
    assert.match(String((await validate(forged, "ledger")).error), /not believed/);
    const other = await ask("alpha", "jwt", { audience: "ledger", subject: idOf("beta") });
    assert.match(String(other.error), /PermissionDenied.*this workload is/);
  });

  test("the keys of tokens are published where their audience finds them", async () => {
    const response = await fetch(`http://${mesh.metrics}/.well-known/jwks.json`);
    const { keys } = (await response.json()) as { keys: Record<string, string>[] };
    assert.deepEqual(
      keys.map(({ kty, crv, alg, d }) => [kty, crv, alg, d]),
      [["EC", "P-256", "ES256", undefined]],
    );
    const { token } = await ask("beta", "jwt", { audience: "anybody" });
    const { kid } = JSON.parse(Buffer.from(String(token).split(".")[0]!, "base64url").toString());
    assert.equal(kid, keys[0]!.kid);
  });

  test("a rotation of the root reaches the library, without a restart", async () => {
    const before = await ask("alpha", "x509");
    const { code, stderr } = await mesh.weft("ca", "rotate");
    assert.equal(code, 0, stderr);
    await mesh.until("the library has the new certificate", async () => {
      const { id, serial, error } = await ask("alpha", "x509");
      return error === undefined && id === idOf("alpha") && serial !== before.serial;
    });
    await mesh.until("both trust the new root alone", async () => {
      const counts = await Promise.all(names.map((name) => ask(name, "bundles")));
      return counts.every((one) => one["x509 cluster.local"] === 1);
    });
    const address = `${mesh.addressOf(hosts.alpha)}:8443`;
    assert.deepEqual(await ask("beta", "dial", { address, id: idOf("alpha") }), { seenAs: idOf("beta") });
  });

  test("nobody but the application's user can reach the socket", () => {
    const folder = join(mesh.state, "alpha", "spiffe");
    assert.equal(statSync(folder).mode & 0o777, 0o700);
    assert.equal(statSync(join(folder, "api.sock")).mode & 0o777, 0o600);
  });
});
