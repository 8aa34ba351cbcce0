/**
 * Keys and tokens stay where they belong: in no log, dump, answer or error, and in
 * nothing that a process which dies, or is asked to by a signal, leaves on the disk.
 */
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { createPrivateKey } from "node:crypto";
import { once } from "node:events";
import { chmodSync, globSync, mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { after, before, describe, test } from "node:test";
import { findPeer } from "../packages/testkit/src/peer.ts";
import { LocalMesh } from "./local-mesh.ts";

const envoy = findPeer("envoy");
const kinds = envoy ? (["weft", "envoy"] as const) : (["weft"] as const);
const hosts = { weft: 1, envoy: 2 } as const;
/** The application says what it finds of NODE_OPTIONS and that it hears SIGUSR1, and waits. */
const app =
  "process.on('SIGUSR1', () => console.log('heard: SIGUSR1')); console.log('options: ' + process.env.NODE_OPTIONS); setInterval(() => {}, 1000)";

/** A key as text may have it (a line of its PEM, its number as a JWK has it) and as memory has it. */
interface Needle {
  readonly what: string;
  readonly texts: readonly string[];
  readonly bytes: Buffer;
}

function keyNeedle(what: string, pem: string): Needle {
  const { d } = createPrivateKey(pem).export({ format: "jwk" });
  const bytes = Buffer.from(d!, "base64url");
  return { what, texts: [pem.split("\n")[1]!, d!, bytes.toString("hex")], bytes };
}

function tokenNeedle(what: string, token: string): Needle {
  const secret = token.split(".")[2]!;
  return { what, texts: [secret], bytes: Buffer.from(secret) };
}

describe("secrets", () => {
  const home = process.cwd();
  /** Where the processes run, and so where the kernel would write their core files. */
  const folder = mkdtempSync(join(tmpdir(), "weft-e2e-secrets-"));
  const tokens = new Map<string, string>();
  let mesh: LocalMesh;

  before(async () => {
    // Everything started from here on may leave core files of any size.
    spawnSync("prlimit", ["--core=unlimited", "--pid", String(process.pid)]);
    process.chdir(folder);
    mesh = await LocalMesh.start();
    // For the sidecars' own user.
    chmodSync(mesh.state, 0o755);
    for (const kind of kinds) {
      const { stdout } = await mesh.weft("token", "create", "--service-account", kind);
      tokens.set(kind, stdout.trim());
      const flags = kind === "envoy" ? ["--proxy", kind, "--envoy-path", envoy!] : [];
      const env = { WEFT_TOKEN: stdout.trim(), NODE_OPTIONS: "--no-deprecation" };
      mesh.runBy([], kind, hosts[kind], flags, [process.execPath, "-e", app], env);
      await mesh.until(`${kind} is ready`, () => /options: /.test(mesh.saidBy(kind)));
    }
  });
  after(async () => {
    await mesh?.close();
    process.chdir(home);
    rmSync(folder, { recursive: true, force: true });
  });

  /** All that must not be seen: the root's key, those of JWT-SVIDs, of workloads, and the tokens. */
  function needles(): readonly Needle[] {
    const [file] = globSync("*.db", { cwd: mesh.state });
    const database = new DatabaseSync(join(mesh.state, file!), { readOnly: true });
    const keysOf = (table: string) =>
      (database.prepare(`SELECT private_key_pem AS pem FROM ${table}`).all() as { pem: string }[])
        .filter(({ pem }) => pem !== "")
        .map(({ pem }) => keyNeedle(`a key of ${table}`, pem));
    const stored = [...keysOf("roots"), ...keysOf("jwt_keys")];
    database.close();
    const workloads = kinds.map((kind) => {
      const { key } = JSON.parse(readFileSync(join(mesh.state, kind, "identity", "svid.json"), "utf8"));
      return keyNeedle(`the key of ${kind}`, key as string);
    });
    const joined = [...tokens].map(([kind, token]) => tokenNeedle(`the token of ${kind}`, token));
    return [...stored, ...workloads, ...joined];
  }

  test("are in nothing that is said, shown or written down", async () => {
    const shown = new Map<string, string>();
    const get = async (url: string) => shown.set(url, await (await fetch(url)).text());
    const weft = async (...args: readonly string[]) => {
      const { stdout, stderr } = await mesh.weft(...args);
      shown.set(`weft ${args.join(" ")}`, stdout + stderr);
    };
    for (const kind of kinds) {
      const admin = `http://${mesh.addressOf(hosts[kind])}:15000`;
      const pages = ["config_dump?include_eds", "certs", "clusters", "listeners", "stats", "server_info"];
      for (const page of pages) await get(`${admin}/${page}`);
      for (const what of ["listeners", "clusters", "secrets", "bootstrap"]) {
        await weft("proxy-config", what, kind, "-o", "json");
      }
      const changed = tokens.get(kind)!.replace(/.\.([^.]*)$/, "A.$1");
      await weft(
        "run",
        "--name",
        "x",
        "--token",
        changed,
        "--control-plane",
        mesh.controlPlane,
        "--",
        "true",
      );
      for (const file of ["bootstrap.yaml", "config/kept-config"]) {
        const path = join(mesh.state, kind, file);
        if (globSync(path).length > 0) shown.set(path, readFileSync(path, "latin1"));
      }
    }
    for (const page of ["metrics", "dashboard/", "prometheus/targets", "jwks"])
      await get(`${mesh.httpOrigin}/${page}`);
    for (const args of [
      "status",
      "ca status",
      "audit log",
      "token list",
      "history",
      "edges",
      "check",
      "get all",
    ]) {
      await weft(...args.split(" "), ...(args === "get all" ? [] : ["-o", "json"]));
    }
    await weft("control-plane", "--ca-cert", "x", "--ca-key", "x", "--root-cert", "x");
    shown.set("what the processes said", mesh.said);
    assert.ok(
      shown.get("weft audit log -o json")!.includes("certificate issued"),
      "there is something to see",
    );
    for (const { what, texts } of needles()) {
      for (const [place, text] of shown) {
        for (const secret of texts) assert.ok(!text.includes(secret), `${what} is in ${place}`);
      }
    }
  });

  /** The processes that hold keys: the control plane, agents and data planes. */
  function keyHolders(): ReadonlyMap<string, number> {
    const found = new Map([["the control plane", mesh.pidsOf()[0]!]]);
    for (const kind of kinds) {
      const [agent, ...started] = mesh.pidsOf(kind);
      found.set(`the agent of ${kind}`, agent!);
      const isDataPlane = (pid: number) =>
        /\0proxy\0|envoy/.test(commandOf(pid)) && !commandOf(pid).includes("options: ");
      found.set(`the data plane of ${kind}`, started.find(isDataPlane)!);
    }
    return found;
  }

  function isReady(kind: (typeof kinds)[number]): Promise<boolean> {
    return fetch(`http://${mesh.addressOf(hosts[kind])}:15000/ready`).then(
      ({ ok }) => ok,
      () => false,
    );
  }

  test("SIGUSR1 opens no debugger, and it and NODE_OPTIONS are the application's alone", async () => {
    for (const [who, pid] of keyHolders()) {
      if (/data plane of envoy/.test(who)) continue;
      process.kill(pid, "SIGUSR1");
      assert.ok(!/\0NODE_OPTIONS=/.test(`\0${readFileSync(`/proc/${pid}/environ`, "latin1")}`), who);
    }
    for (const kind of kinds) {
      await mesh.until(`${kind} hands it on`, () => /heard: SIGUSR1/.test(mesh.saidBy(kind)));
    }
    for (const [who, pid] of keyHolders()) assert.doesNotThrow(() => process.kill(pid, 0), who);
    assert.ok(!/Debugger listening/.test(mesh.said));
    for (const kind of kinds) assert.match(mesh.saidBy(kind), /options: --no-deprecation/);
  });

  test("no other process of the sidecar's user reads its memory", {
    skip: process.getuid?.() !== 0 && "needs root",
  }, () => {
    const pid = keyHolders().get("the data plane of weft")!;
    assert.equal(statSync(`/proc/${pid}/maps`).uid, 0, "the kernel keeps what is its memory from its user");
    const as = ["--reuid=1337", "--regid=1337", "--clear-groups", "--"];
    const reads = (file: string) => spawnSync("setpriv", [...as, "cat", file]).status === 0;
    assert.equal(reads(`/proc/${pid}/maps`), false);
    const own = "exec 3</proc/self/maps && exec cat /proc/$$/maps";
    assert.equal(spawnSync("setpriv", [...as, "sh", "-c", own]).status, 0, "as it would another's");
  });

  test("processes that crash leave no core file, and no key on the disk", async (t) => {
    const plain = spawn(process.execPath, ["-e", `globalThis.kept = "x".repeat(9); process.abort()`], {
      stdio: "ignore",
    });
    await once(plain, "exit");
    const isWritten = globSync("core*", { cwd: folder }).length > 0;
    t.diagnostic(isWritten ? "another Node left a core file" : "no core files are written to folders here");
    for (const file of globSync("core*", { cwd: folder })) rmSync(join(folder, file));
    const known = needles();
    for (const signal of ["SIGABRT", "SIGSEGV"] as const) {
      for (const [who, pid] of [...keyHolders()].toReversed()) {
        if (!/data plane/.test(who)) continue;
        process.kill(pid, signal);
        await mesh.until(`${who} is gone`, () => !isAlive(pid));
      }
      // One that crashes before it is ready may leave a core file: it has no key yet.
      for (const kind of kinds) await mesh.until(`${kind} is ready again`, () => isReady(kind));
    }
    for (const [who, pid] of [...keyHolders()].toReversed()) {
      process.kill(pid, /agent/.test(who) ? "SIGABRT" : "SIGQUIT");
      await mesh.until(`${who} is gone`, () => !isAlive(pid));
    }
    assert.deepEqual(globSync("core*", { cwd: folder }), []);
    const left = globSync("**/*", { cwd: folder }).map((name) => join(folder, name));
    const shared = globSync("**/*", { cwd: mesh.state }).map((name) => join(mesh.state, name));
    // Where keys are kept: in files that are their owner's alone.
    const isTheirPlace = (path: string) => /\/identity\/svid\.json$|\.db(-wal)?$/.test(path);
    for (const path of [...left, ...shared]) {
      if (!statSync(path).isFile()) continue;
      if (isTheirPlace(path)) assert.equal(statSync(path).mode & 0o077, 0, path);
      else
        for (const { what, bytes } of known)
          assert.ok(!readFileSync(path).includes(bytes), `${what} is in ${path}`);
    }
  });
});

function commandOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "latin1");
  } catch {
    return "";
  }
}

function isAlive(pid: number): boolean {
  try {
    // A zombie holds nothing any more.
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
  } catch {
    return false;
  }
}
