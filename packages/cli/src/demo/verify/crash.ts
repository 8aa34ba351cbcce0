import { readFileSync } from "node:fs";
import type { DemoMesh } from "../mesh.ts";
import { formatCounts, type Outcome, outcome } from "./outcome.ts";
import { probe } from "./probe.ts";

const page = { from: "traffic", service: "productpage", path: "/productpage", count: 100 } as const;

/** Kills the control plane outright: calls go on without it, and it comes back with its root and its rules. */
export async function verifyControlPlaneCrash(mesh: DemoMesh): Promise<Outcome> {
  const rootBefore = (await mesh.api.caStatus()).rootPem;
  const rulesBefore = await ruleNames(mesh);
  const child = mesh.processes.get("control-plane")!.child;
  mesh.expectExit("control-plane");
  process.kill(-child.pid!, "SIGKILL");
  const without = await probe(mesh, page);
  mesh.startControlPlane();
  await mesh.untilControlPlaneAnswers(15_000);
  const isSameRoot = (await mesh.api.caStatus()).rootPem === rootBefore;
  const areSameRules = (await ruleNames(mesh)) === rulesBefore;
  const reconnected = await mesh.untilProxiesConnected(20_000);
  const after = await probe(mesh, page);
  const ok =
    without.statuses[200] === page.count &&
    after.statuses[200] === page.count &&
    isSameRoot &&
    areSameRules &&
    reconnected;
  const seen =
    `without it: ${formatCounts(without.statuses)}; root ${isSameRoot ? "kept" : "CHANGED"}, ` +
    `rules ${areSameRules ? "kept" : "LOST"}, proxies ${reconnected ? "back" : "NOT back"}; after: ${formatCounts(after.statuses)}`;
  return outcome("kill -9 of the control plane", ok, seen);
}

/** Kills one sidecar: the other services go on, and it comes back by itself. */
export async function verifySidecarCrash(mesh: DemoMesh): Promise<Outcome> {
  const victim = "reviews-v3";
  const pid = await findSidecar(mesh, victim);
  if (pid === undefined)
    return outcome("kill -9 of a sidecar", false, `no sidecar process found for ${victim}`);
  process.kill(pid, "SIGKILL");
  const meanwhile = await probe(mesh, page);
  const deadline = Date.now() + 15_000;
  let replacement: number | undefined;
  while (Date.now() < deadline) {
    replacement = await findSidecar(mesh, victim);
    if (replacement !== undefined && replacement !== pid && (await answers(mesh, victim))) break;
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  const isBack = replacement !== undefined && replacement !== pid && (await answers(mesh, victim));
  const ok = meanwhile.statuses[200] === page.count && isBack;
  const seen = `others meanwhile: ${formatCounts(meanwhile.statuses)}; ${victim} ${isBack ? "answers again" : "did NOT come back"}`;
  return outcome("kill -9 of a sidecar", ok, seen);
}

async function ruleNames(mesh: DemoMesh): Promise<string> {
  const { resources } = await mesh.api.listResources();
  return resources
    .map((resource) => `${resource.kind}/${resource.namespace}/${resource.name}`)
    .sort()
    .join(" ");
}

/** The sidecar, of whatever kind, is the child of `weft run` that is given a bootstrap file. */
async function findSidecar(mesh: DemoMesh, workload: string): Promise<number | undefined> {
  const agent = mesh.processes.get(workload)?.child.pid;
  if (agent === undefined) return undefined;
  return childrenOf(agent).find((pid) => /\0-c\0[^\0]*\/bootstrap\.yaml\0/.test(commandLine(pid)));
}

function childrenOf(pid: number): readonly number[] {
  try {
    return readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").split(" ").filter(Boolean).map(Number);
  } catch {
    return [];
  }
}

function commandLine(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8");
  } catch {
    return "";
  }
}

/** Its own sidecar answers when traffic of the application beside it goes through. */
async function answers(mesh: DemoMesh, workload: string): Promise<boolean> {
  const result = await probe(mesh, { from: workload, service: "ratings", path: "/ratings/0", count: 1 });
  return result.statuses[200] === 1;
}
