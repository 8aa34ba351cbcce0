/**
 * `npm run bench:ca`: what issuing certificates costs the control plane, in CPU
 * time of its process; the callers run in another.
 *
 *   npm run bench:ca [-- --requests 3000 | --quick]
 *
 * Two figures. In the process: a request is checked, signed, verified as any
 * peer would, and written to the audit log on the disk. Over the wire, as an
 * agent renews: a connection of its own with mutual TLS, then the same.
 */
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { systemClock } from "@weft/base/clock";
import { openCertificateAuthority } from "@weft/control/ca/certificate-authority";
import { startControlPlane } from "@weft/control/control-plane";
import { openStore } from "@weft/control/store/open-store";
import { createCsr } from "@weft/identity/csr";
import { generateKeyPair } from "@weft/identity/key-pair";
import { parseTrustDomain } from "@weft/identity/spiffe-id";
import { workloadSpiffeId } from "@weft/identity/workload-id";
import { IstioCertificateService } from "@weft/xds/gen/istio/v1/auth/ca_pb";
import { GrpcChannel } from "@weft/xds/grpc/grpc-channel";

const trustDomain = parseTrustDomain("cluster.local");
const log = { info() {}, warn() {}, error: console.error };
const hourMs = 3_600_000;
/** At a time: what waits when the event loop comes round shares one write to the disk. */
const concurrency = 32;
const workloads = 5_000;
const renewalsPerHour = 2;

interface Signed {
  readonly csr: string;
  readonly key: string;
  readonly chain: string;
}

if (process.send) await callFromHere();
else await report();

async function report(): Promise<void> {
  const { values } = parseArgs({
    options: { requests: { type: "string", default: "3000" }, quick: { type: "boolean", default: false } },
  });
  const count = values.quick ? 100 : Number(values.requests);
  const csrs = await Promise.all(Array.from({ length: count }, (_, i) => requestOf(i)));
  const inside = await inProcess(csrs.map(({ csr }) => csr));
  say("requests per CPU second, in the process", inside.perCpuSecond);
  say("requests per second, in the process", inside.perSecond);
  const wire = await overTheWire(count);
  say("renewals per CPU second, each on a connection of its own", wire.perCpuSecond);
  const share = (workloads * renewalsPerHour) / 3_600 / wire.perCpuSecond;
  say(`${workloads} workloads on one-hour certificates, % of a core`, share * 100);
}

async function requestOf(index: number) {
  const keys = await generateKeyPair();
  const spiffeId = workloadSpiffeId(trustDomain, "default", `w${index}`);
  return { keys, spiffeId, csr: createCsr(keys, spiffeId) };
}

async function inProcess(csrs: readonly string[]) {
  const directory = mkdtempSync(join(tmpdir(), "weft-bench-ca-"));
  const store = openStore({ directory, trustDomain, clock: systemClock });
  try {
    const ca = await openCertificateAuthority({ store, trustDomain, clock: systemClock, log });
    const issue = async (csrPem: string, index: number) => {
      const peer = workloadSpiffeId(trustDomain, "default", `w${index}`);
      const answer = await ca.createCertificate({ csrPem, auth: { peer }, address: "10.0.0.1" });
      if (!answer.isIssued) throw new Error(answer.message);
    };
    await inParallel(csrs.slice(0, 50), issue);
    return await measured(csrs.length, () => inParallel(csrs, issue));
  } finally {
    store.close();
    rmSync(directory, { recursive: true });
  }
}

async function overTheWire(count: number) {
  const directory = mkdtempSync(join(tmpdir(), "weft-bench-ca-"));
  const address = "127.0.0.1";
  const plane = await startControlPlane({
    stateDir: directory,
    trustDomain,
    address,
    port: 0,
    httpAddress: address,
    httpPort: 0,
    certificateTtlMs: hourMs,
    version: "bench",
    log,
  });
  const callers = fork(import.meta.filename, [`${plane.port}`, `${count}`, plane.socketPath]);
  try {
    await told(callers, "enrolled");
    return await measured(count, async () => {
      callers.send("renew");
      await told(callers, "renewed");
    });
  } finally {
    callers.kill();
    await plane.close();
    rmSync(directory, { recursive: true });
  }
}

/** The other process: workloads that have joined, and renew when they are told to. */
async function callFromHere(): Promise<void> {
  const [port, count, socketPath] = process.argv.slice(2) as [string, string, string];
  const { ApiClient } = await import("@weft/control/api/client");
  const { formatPrivateKey } = await import("@weft/identity/key-pair");
  const api = new ApiClient({ socketPath });
  const { rootPem } = await api.caStatus();
  const ask = async (csr: string, metadata: [string, string][], own?: Signed) => {
    const options = {
      ca: rootPem,
      servername: "weft-control-plane",
      ...(own && { key: own.key, cert: own.chain }),
    };
    const target = { address: { host: "127.0.0.1", port: Number(port) }, tls: () => ({ options }) };
    const channel = new GrpcChannel({ clock: systemClock, target });
    try {
      const { createCertificate } = IstioCertificateService.method;
      return (await channel.unary(createCertificate, { csr }, { metadata })).certChain.join("");
    } finally {
      channel.close();
    }
  };
  const indexes = Array.from({ length: Number(count) }, (_, i) => i);
  const enrolled: Signed[] = [];
  await inParallel(indexes, async (i) => {
    const { keys, csr } = await requestOf(i);
    const { token } = await api.createToken({ namespace: "default", serviceAccount: `w${i}` });
    const chain = await ask(csr, [["authorization", `Bearer ${token}`]]);
    enrolled.push({ csr, key: formatPrivateKey(keys.privateKey), chain });
  });
  process.send!("enrolled");
  await once(process, "message");
  await inParallel(enrolled, async (own) => void (await ask(own.csr, [], own)));
  process.send!("renewed");
}

async function told(child: ChildProcess, expected: string): Promise<void> {
  const [message] = await once(child, "message");
  if (message !== expected) throw new Error(`${message} where ${expected} was expected`);
}

async function inParallel<T>(
  items: readonly T[],
  run: (item: T, index: number) => Promise<void>,
): Promise<void> {
  let next = 0;
  const work = async () => {
    while (next < items.length) {
      const index = next++;
      await run(items[index]!, index);
    }
  };
  await Promise.all(Array.from({ length: concurrency }, work));
}

/** CPU of this process, all its threads. */
async function measured(count: number, run: () => Promise<void>) {
  const cpu = process.cpuUsage();
  const startMs = performance.now();
  await run();
  const { user, system } = process.cpuUsage(cpu);
  return {
    perCpuSecond: count / ((user + system) / 1e6),
    perSecond: count / ((performance.now() - startMs) / 1000),
  };
}

function say(what: string, value: number): void {
  process.stdout.write(`${what.padEnd(64)}${value.toFixed(value < 10 ? 2 : 0).padStart(8)}\n`);
}
