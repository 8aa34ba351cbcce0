import type { DemoMesh } from "../mesh.ts";
import { steps } from "../steps.ts";
import { formatCounts, isNearShare, type Outcome, outcome } from "./outcome.ts";
import { type ProbeResult, probe } from "./probe.ts";

const reviews = { from: "productpage-v1", service: "reviews", path: "/reviews/0" } as const;
const jason = { "end-user": "jason" };
const sample = 400;

/** `weft apply --wait`, as a user runs it; throws with what it said when it fails. */
export async function applyStep(mesh: DemoMesh, step: { readonly files: readonly string[] }): Promise<void> {
  const files = step.files.flatMap((file) => ["-f", mesh.stepFile(file)]);
  const result = await mesh.weft("apply", ...files, "--wait");
  if (result.code !== 0) throw new Error(`weft apply failed: ${result.stderr.trim()}`);
}

/** Without any YAML: every version answers, by name, through a virtual address. */
export async function verifyUnconfigured(mesh: DemoMesh): Promise<Outcome> {
  const result = await probe(mesh, { ...reviews, count: sample });
  // Least request prefers v1, which asks no ratings and so answers first; nobody may be left out.
  const isShared = ["v1", "v2", "v3"].every((version) => (result.versions[version] ?? 0) >= sample / 8);
  return outcome(
    "no YAML: all versions share the calls",
    allOk(result) && isShared,
    formatCounts(result.versions),
  );
}

export async function verifyAllV1(mesh: DemoMesh): Promise<Outcome> {
  await applyStep(mesh, steps.subsets);
  await applyStep(mesh, steps.allV1);
  const result = await probe(mesh, { ...reviews, count: sample });
  return outcome(
    "destination-rule-all, virtual-service-all-v1: v1 only",
    allOk(result) && result.versions.v1 === sample,
    formatCounts(result.versions),
  );
}

export async function verifyCanary(mesh: DemoMesh): Promise<Outcome> {
  await applyStep(mesh, steps.canary);
  const result = await probe(mesh, { ...reviews, count: sample });
  const { v2 = 0, v3 = 0 } = result.versions;
  const ok = allOk(result) && v2 > 0 && v3 === 0 && isNearShare(v2, sample, 0.1);
  return outcome("virtual-service-reviews-90-10: 10 % to v2", ok, formatCounts(result.versions));
}

export async function verifyHalf(mesh: DemoMesh): Promise<Outcome> {
  await applyStep(mesh, steps.half);
  const result = await probe(mesh, { ...reviews, count: sample });
  const { v2 = 0, v3 = 0 } = result.versions;
  const ok = allOk(result) && v2 === 0 && isNearShare(v3, sample, 0.5);
  return outcome("virtual-service-reviews-50-v3: half to v3", ok, formatCounts(result.versions));
}

export async function verifyHeaderRoute(mesh: DemoMesh): Promise<Outcome> {
  await applyStep(mesh, steps.jason);
  const asJason = await probe(mesh, { ...reviews, count: 50, headers: jason });
  const others = await probe(mesh, { ...reviews, count: 50 });
  const ok = allOk(asJason) && allOk(others) && asJason.versions.v2 === 50 && others.versions.v1 === 50;
  const seen = `jason: ${formatCounts(asJason.versions)}; others: ${formatCounts(others.versions)}`;
  return outcome("virtual-service-reviews-test-v2: jason sees v2", ok, seen);
}

export async function verifyDelay(mesh: DemoMesh): Promise<Outcome> {
  await applyStep(mesh, steps.delay);
  const ratings = { from: "reviews-v2", service: "ratings", path: "/ratings/0" };
  const [asJason, others] = await Promise.all([
    probe(mesh, { ...ratings, count: 2, headers: jason }),
    probe(mesh, { ...ratings, count: 50 }),
  ]);
  const ok = allOk(asJason) && allOk(others) && asJason.slowestMs >= 7_000 && others.slowestMs < 7_000;
  const seen = `jason waited ${Math.round(asJason.slowestMs)} ms, others at most ${Math.round(others.slowestMs)} ms`;
  return outcome("virtual-service-ratings-test-delay: 7 s for jason", ok, seen);
}

export async function verifyAbort(mesh: DemoMesh): Promise<Outcome> {
  await applyStep(mesh, steps.abort);
  const ratings = { from: "reviews-v2", service: "ratings", path: "/ratings/0" };
  const asJason = await probe(mesh, { ...ratings, count: 20, headers: jason });
  const others = await probe(mesh, { ...ratings, count: 20 });
  const ok = asJason.statuses[500] === 20 && others.statuses[200] === 20;
  const seen = `jason: ${formatCounts(asJason.statuses)}; others: ${formatCounts(others.statuses)}`;
  return outcome("virtual-service-ratings-test-abort: 500 for jason", ok, seen);
}

export async function verifyDenial(mesh: DemoMesh): Promise<Outcome> {
  const details = { service: "details", path: "/details/0", count: 20 };
  const before = await probe(mesh, { ...details, from: "traffic" });
  await applyStep(mesh, steps.deny);
  const denied = await probe(mesh, { ...details, from: "traffic" });
  const allowed = await probe(mesh, { ...details, from: "productpage-v1" });
  const ok = before.statuses[200] === 20 && denied.statuses[403] === 20 && allowed.statuses[200] === 20;
  const seen = `traffic: ${formatCounts(denied.statuses)} (before: ${formatCounts(before.statuses)}); productpage: ${formatCounts(allowed.statuses)}`;
  return outcome("AuthorizationPolicy: details answers productpage only", ok, seen);
}

function allOk(result: ProbeResult): boolean {
  return result.errors.length === 0 && Object.keys(result.statuses).every((status) => status === "200");
}
