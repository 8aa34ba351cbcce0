import type { DemoMesh } from "../mesh.ts";
import { steps } from "../steps.ts";
import { isComplete, TrafficLog, type Visit } from "../traffic-log.ts";
import { readCertificates, verifyCertificates, verifyRotation } from "./certificates.ts";
import { verifyControlPlaneCrash, verifySidecarCrash } from "./crash.ts";
import { type Outcome, outcome } from "./outcome.ts";
import { verifyDashboards, verifyTargets } from "./prometheus.ts";
import { verifyPlainRefused } from "./refusal.ts";
import {
  applyStep,
  verifyAbort,
  verifyAllV1,
  verifyCanary,
  verifyDelay,
  verifyDenial,
  verifyHalf,
  verifyHeaderRoute,
  verifyUnconfigured,
} from "./routing.ts";
import { verifyConvergence, verifyGoldenSignals } from "./signals.ts";
import { verifyTraces } from "./traces.ts";
import { WireCapture } from "./wire.ts";

type Check = (mesh: DemoMesh) => Promise<Outcome>;

/** Changes of configuration under traffic, in the order of Istio's tasks. */
const routingChecks: readonly Check[] = [
  verifyUnconfigured,
  verifyAllV1,
  verifyCanary,
  verifyHalf,
  verifyHeaderRoute,
  verifyDelay,
  verifyAbort,
  verifyDenial,
];

/**
 * Runs every check of the demo from outside the product and reports each
 * through `onOutcome` as it ends. A check that throws has failed; the rest go on.
 */
export async function verifyDemo(
  mesh: DemoMesh,
  onOutcome: (outcome: Outcome) => void,
): Promise<readonly Outcome[]> {
  const outcomes: Outcome[] = [];
  const isCaptured = mesh.options.capture === "nft";
  const check = async (name: string, run: () => Promise<Outcome>): Promise<void> => {
    const result = await run().catch((error: Error) => outcome(name, false, error.message));
    outcomes.push(result);
    onOutcome(result);
  };

  const traffic = new TrafficLog(mesh.processes.logFile("traffic"));
  traffic.read();
  await check("golden signals", () => verifyGoldenSignals(mesh));
  const capture = isCaptured ? await WireCapture.start(mesh) : undefined;
  const shown = await readCertificates(mesh);
  if (isCaptured) {
    const { rootPem } = await mesh.api.caStatus();
    await check("identities", async () =>
      verifyCertificates(shown, rootPem, mesh.options.certificateMinutes),
    );
  }
  for (const routingCheck of routingChecks) await check(routingCheck.name, () => routingCheck(mesh));
  await check("every visit complete", async () => verifyVisits(traffic.read()));
  if (capture) await check("wire", () => capture.finish());
  if (isCaptured) await check("plain connections", () => verifyPlainRefused(mesh));
  await check("convergence", () => verifyConvergence(mesh));
  const { observers } = mesh;
  if (observers) {
    await check("targets", () => verifyTargets(observers));
    await check("dashboards", () => verifyDashboards(observers));
    await applyStep(mesh, steps.half).catch(() => undefined);
    await check("traces", () => verifyTraces(observers));
  }
  await applyStep(mesh, steps.calm).catch(() => undefined);
  await check("control plane crash", () => verifyControlPlaneCrash(mesh));
  await check("sidecar crash", () => verifySidecarCrash(mesh));
  if (isCaptured) {
    const halfLifeMs = (mesh.options.certificateMinutes * 60_000) / 2;
    await check("rotation", () => verifyRotation(mesh, shown, halfLifeMs * 1.5 + 20_000));
  }
  return outcomes;
}

/** No visit of the traffic source failed while configuration changed under it. */
function verifyVisits(visits: readonly Visit[]): Outcome {
  const failed = visits.filter((visit) => !isComplete(visit));
  const first = failed[0];
  const seen = first
    ? `${failed.length} of ${visits.length} failed, first: page ${first.status}, details ${first.details}, reviews ${first.reviews} ${first.error ?? ""}`
    : `${visits.length} visits, 0 failed`;
  return outcome("no call failed on account of a change", visits.length > 0 && failed.length === 0, seen);
}
