import { X509Certificate } from "node:crypto";
import tls from "node:tls";
import type { DemoMesh } from "../mesh.ts";
import { servicePort, workloadName, workloads } from "../topology.ts";
import { type Outcome, outcome } from "./outcome.ts";

/** The certificate each workload shows to a stranger, keyed by workload. */
export type ShownCertificates = ReadonlyMap<string, X509Certificate>;

/** Reads every workload's certificate by a TLS handshake from outside the mesh. */
export async function readCertificates(mesh: DemoMesh): Promise<ShownCertificates> {
  const shown = new Map<string, X509Certificate>();
  for (const workload of workloads.filter((candidate) => candidate.port !== undefined)) {
    const certificate = await readCertificate(mesh.addressOf(workload), servicePort);
    if (certificate) shown.set(workloadName(workload), certificate);
  }
  return shown;
}

function readCertificate(host: string, port: number): Promise<X509Certificate | undefined> {
  return new Promise((resolve) => {
    let certificate: X509Certificate | undefined;
    const socket = tls.connect({
      host,
      port,
      rejectUnauthorized: false,
      ALPNProtocols: ["istio"],
      timeout: 5_000,
    });
    socket.on("secureConnect", () => {
      certificate = socket.getPeerX509Certificate();
      socket.destroy();
    });
    socket.on("timeout", () => socket.destroy());
    socket.on("error", () => undefined);
    socket.on("close", () => resolve(certificate));
  });
}

/** Each workload shows its own SPIFFE ID, signed by the mesh's root, valid for minutes. */
export function verifyCertificates(
  shown: ShownCertificates,
  rootPem: string,
  lifetimeMinutes: number,
): Outcome {
  const root = new X509Certificate(rootPem);
  const wrong: string[] = [];
  for (const workload of workloads.filter((candidate) => candidate.port !== undefined)) {
    const name = workloadName(workload);
    const certificate = shown.get(name);
    const identity = `URI:spiffe://cluster.local/ns/default/sa/${workload.service}`;
    if (!certificate) wrong.push(`${name}: no certificate`);
    else if (certificate.subjectAltName !== identity) wrong.push(`${name}: ${certificate.subjectAltName}`);
    else if (!certificate.verify(root.publicKey)) wrong.push(`${name}: not signed by the root`);
    else if (certificate.ca) wrong.push(`${name}: is a CA`);
    else if (lifetimeMs(certificate) > (lifetimeMinutes + 2) * 60_000) wrong.push(`${name}: lives too long`);
  }
  const issuer = [...shown.values()][0]?.issuer.replaceAll("\n", ", ");
  const seen =
    wrong.length > 0 ? wrong.join("; ") : `${shown.size} certificates, one URI name each, issuer ${issuer}`;
  return outcome("identities: issuer, name and lifetime of every certificate", wrong.length === 0, seen);
}

/** Waits until every workload shows another certificate than before. */
export async function verifyRotation(
  mesh: DemoMesh,
  before: ShownCertificates,
  waitMs: number,
): Promise<Outcome> {
  const startMs = Date.now();
  let rotated = 0;
  while (Date.now() - startMs < waitMs) {
    const now = await readCertificates(mesh);
    rotated = [...before].filter(([name, old]) => {
      const current = now.get(name);
      return current !== undefined && current.serialNumber !== old.serialNumber;
    }).length;
    if (rotated === before.size) break;
    await new Promise((resolve) => setTimeout(resolve, 1_000));
  }
  const seen = `${rotated} of ${before.size} workloads show a new certificate`;
  return outcome(
    "rotation: new certificates without a restart",
    rotated === before.size && rotated > 0,
    seen,
  );
}

function lifetimeMs(certificate: X509Certificate): number {
  return Date.parse(certificate.validTo) - Date.parse(certificate.validFrom);
}
