import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { systemClock } from "@weft/base/clock";
import { parseSpiffeId, parseTrustDomain } from "@weft/identity/spiffe-id";
import { openStore } from "./open-store.ts";

const trustDomain = parseTrustDomain("cluster.local");
const identity = parseSpiffeId("spiffe://cluster.local/ns/default/sa/reviews");
const writerDirectory = process.env.WEFT_CRASH_TEST_DIRECTORY;
const filler = "x".repeat(4_000);

if (writerDirectory) await writeUntilKilled(writerDirectory);
else {
  test("whatever was acknowledged before kill -9 is there afterwards", { timeout: 120_000 }, async (t) => {
    const directory = mkdtempSync(join(tmpdir(), "weft-crash-"));
    t.after(() => rmSync(directory, { recursive: true }));
    let acknowledged = 0;
    for (let round = 0; round < 8; round++) {
      acknowledged = Math.max(acknowledged, await killAWriter(directory, 3 + round * 7));
      const store = openStore({ directory, trustDomain, clock: systemClock });
      const { resources, audit, tokens, addresses } = store;
      assert.ok(resources.revision >= acknowledged, `revision ${resources.revision} of ${acknowledged}`);
      assert.equal(resources.history(1_000_000).length, resources.revision);
      for (const { resource, text } of resources.current()) {
        assert.equal(text.text, `${resource.name} ${filler}`, "no half-written resource");
      }
      assert.equal(resources.current().length, resources.revision * 2, "an apply is there as a whole");
      const serials = new Set(audit.recent(1_000_000).map(({ serial }) => serial));
      const used = new Map(tokens.list().map(({ id, uses }) => [id, uses]));
      for (let i = 1; i <= acknowledged; i++) {
        assert.ok(serials.has(`${i}`), `certificate ${i} is in the log`);
        assert.equal(used.get(`t${i}`), 1, `token ${i} is used up`);
        assert.ok(addresses.load().has(`host${i}`));
      }
      for (const [id, uses] of used) {
        assert.equal(uses === 1, serials.has(id.slice(1)), "a token is used up only with its certificate");
      }
      store.close();
    }
    assert.ok(acknowledged > 8);
  });
}

/** Lets a writer acknowledge some rounds, kills it at an arbitrary moment, and returns the last it acknowledged. */
async function killAWriter(directory: string, rounds: number): Promise<number> {
  const child = spawn(process.execPath, ["--no-warnings", import.meta.filename], {
    env: { ...process.env, WEFT_CRASH_TEST_DIRECTORY: directory, NODE_TEST_CONTEXT: "" },
    stdio: ["ignore", "pipe", "inherit"],
  });
  let output = "";
  let seen = 0;
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    output += text;
    seen += text.split("\n").length - 1;
    if (seen >= rounds) child.kill("SIGKILL");
  });
  const [code, signal] = await once(child, "close");
  assert.equal(signal, "SIGKILL", `the writer ended with ${code}`);
  const whole = output.slice(0, output.lastIndexOf("\n")).split("\n");
  return Number(whole.at(-1));
}

/** Prints the number of each round only after everything in it was acknowledged. */
async function writeUntilKilled(directory: string): Promise<void> {
  const { resources, audit, tokens, addresses } = openStore({ directory, trustDomain, clock: systemClock });
  for (let i = resources.revision + 1; ; i++) {
    // A writer killed between two steps left the earlier ones of this round behind.
    if (!addresses.load().has(`host${i}`))
      addresses.add(new Map([[`host${i}`, `240.240.${i >> 8}.${i & 255}`]]));
    const token = { id: `t${i}`, hash: Buffer.alloc(32), keyHash: Buffer.alloc(32, i & 255), nowMs: i };
    if (!tokens.list().some(({ id }) => id === token.id)) {
      tokens.add({ ...token, identity, maxUses: 1, createdAtMs: i, expiresAtMs: 1e12 });
    }
    if (tokens.list().some(({ id, uses }) => id === token.id && uses === 0)) {
      await audit.recordIssuance(
        {
          atMs: i,
          event: "certificate issued",
          subject: identity,
          authorizedBy: "test",
          address: "",
          serial: `${i}`,
        },
        token,
      );
    }
    const written = ["a", "b"].map((letter) => {
      const name = `${letter}${i}`;
      const resource = { kind: "Service", namespace: "default", name, apiVersion: "v1" };
      return { resource, text: { text: `${name} ${filler}`, file: "f.yaml", line: 1 } };
    });
    assert.equal(resources.put(written), i);
    process.stdout.write(`${i}\n`);
  }
}
