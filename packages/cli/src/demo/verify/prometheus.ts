import { chooseAll } from "../observe/dashboard-expressions.ts";
import { dashboardExpressions, type Observers } from "../observe/observers.ts";
import { workloads } from "../topology.ts";
import { type Outcome, outcome } from "./outcome.ts";

/** Real Prometheus has found the control plane and every sidecar by itself, and reads all of them. */
export async function verifyTargets(observers: Observers): Promise<Outcome> {
  const expected = workloads.length + 1;
  let seen = "";
  const isWhole = await eventually(async () => {
    const targets = await observers.prometheus.targets();
    const down = targets.filter(({ health }) => health !== "up");
    const first = down[0] && `, not ${down[0].labels.pod}: ${down[0].lastError || down[0].health}`;
    seen = `${targets.length - down.length} of ${expected} targets are up${first ?? ""}`;
    return targets.length === expected && down.length === 0;
  });
  return outcome("Prometheus reads the control plane and every sidecar", isWhole, seen);
}

/** Whatever Weft's dashboards ask, Prometheus answers with data. */
export async function verifyDashboards(observers: Observers): Promise<Outcome> {
  const all = dashboardExpressions();
  const empty = new Set(all);
  await eventually(async () => {
    for (const expression of empty) {
      const query = chooseAll(expression, "2m");
      if ((await observers.prometheus.countSeries(query)) > 0) empty.delete(expression);
    }
    return empty.size === 0;
  });
  const [first] = empty;
  const seen =
    first === undefined
      ? `${all.length} expressions, each with data`
      : `${all.length - empty.size} of ${all.length} have data; one without: ${first}`;
  return outcome("every expression of every dashboard returns data", empty.size === 0, seen);
}

/** Asks twice a second, for 30 s at most. */
async function eventually(isSo: () => Promise<boolean>): Promise<boolean> {
  for (let tries = 0; tries < 60; tries += 1) {
    if (await isSo()) return true;
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
  return false;
}
