/**
 * `npm run bench:control-plane`: the control plane under thousands of simulated
 * delta clients on loopback, which run in a second process.
 *
 *   npm run bench:control-plane [-- --services 1000 --endpoints 10 --proxies 2000 --seconds 20 | --quick]
 *   npm run bench:control-plane -- --growth    what one change costs as the mesh grows tenfold
 *   node --cpu-prof --cpu-prof-dir DIR bench/control-plane.ts …    where the time goes, of both processes
 */
import { parseArgs } from "node:util";
import { type ChangeCosts, costsOfChange } from "./control-plane/growth.ts";
import { Scene, type SceneSize } from "./control-plane/scene.ts";

const { values } = parseArgs({
  options: {
    services: { type: "string", default: "1000" },
    endpoints: { type: "string", default: "10" },
    proxies: { type: "string", default: "2000" },
    seconds: { type: "string", default: "20" },
    quick: { type: "boolean", default: false },
    growth: { type: "boolean", default: false },
  },
});
const size: SceneSize = values.quick
  ? { services: 50, endpoints: 4, proxies: 100 }
  : {
      services: Number(values.services),
      endpoints: Number(values.endpoints),
      proxies: Number(values.proxies),
    };
const seconds = values.quick ? 2 : Number(values.seconds);

/** A prime stride, so that changes go to one service after another. */
let endpoint = 0;
function nextEndpoint(): number {
  endpoint += 7_919;
  return endpoint;
}

if (values.growth) await reportGrowth(values.quick ? 100 : 1_000, values.quick ? 5 : 100);
else await reportScene(new Scene(size));

async function reportScene(scene: Scene): Promise<void> {
  try {
    await scene.start();
    say("registered");
    const connecting = process.cpuUsage();
    report("first connection of all proxies, ms", await scene.connectClients());
    report("CPU of it, ms", cpuMs(connecting));
    report("resident memory, MB", process.memoryUsage.rss() / 1e6);

    const endpointMs = await changes(
      scene,
      100,
      () => scene.changeEndpoint(nextEndpoint()),
      "CPU per endpoint change, ms",
    );
    report("endpoint change → last subscribed proxy, p50 ms", quantile(endpointMs, 0.5));
    report("endpoint change → last subscribed proxy, p99 ms", quantile(endpointMs, 0.99));
    const routeMs = await changes(scene, 1_000, () => scene.changeRoute(), "CPU per route change, ms");
    report("route change → last proxy, p50 ms", quantile(routeMs, 0.5));
    report("route change → last proxy, p99 ms", quantile(routeMs, 0.99));

    const before = process.cpuUsage();
    const startMs = performance.now();
    const routes = setInterval(() => scene.changeRoute(), 1_000);
    await changes(scene, 100, () => scene.changeEndpoint(nextEndpoint()));
    clearInterval(routes);
    report("cores at 10 endpoint and 1 route changes/s", cpuMs(before) / (performance.now() - startMs));
    report("resident memory, MB", process.memoryUsage.rss() / 1e6);

    await scene.restart();
    const restarting = process.cpuUsage();
    report("all proxies back after a restart, ms", await scene.connectClients(true));
    report("CPU of it, ms", cpuMs(restarting));
    report("resident memory, MB", process.memoryUsage.rss() / 1e6);
  } finally {
    await scene.close();
  }
}

/** The same few clients in a mesh and in one with ten times the services, of one endpoint each. */
async function reportGrowth(services: number, rounds: number): Promise<void> {
  const sizes = [services, services * 10].map((count) => ({ services: count, endpoints: 1, proxies: 20 }));
  const costs: ChangeCosts[] = [];
  for (const size of sizes) costs.push(await costsOfChange(size, rounds));
  const [small, large] = costs as [ChangeCosts, ChangeCosts];
  for (const change of ["endpoint", "join", "route"] as const) {
    report(`CPU per ${change} change, ${services} services, ms`, small[change]);
    report(`CPU per ${change} change, ${services * 10} services, ms`, large[change]);
    report(`ratio of ${change} changes`, large[change] / small[change]);
  }
}

/** Makes changes at an interval; resolves with how long each took to reach the last proxy. */
async function changes(
  scene: Scene,
  intervalMs: number,
  change: () => void,
  cpuOfEach?: string,
): Promise<number[]> {
  scene.converged.length = 0;
  const before = process.cpuUsage();
  let count = 0;
  const timer = setInterval(() => {
    count += 1;
    change();
  }, intervalMs);
  await new Promise((resolve) => setTimeout(resolve, seconds * 1_000));
  clearInterval(timer);
  await scene.untilSynced();
  if (cpuOfEach !== undefined) report(cpuOfEach, cpuMs(before) / count);
  return [...scene.converged];
}

/** Of this process, which is the control plane and what asks it to change. */
function cpuMs(since: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(since);
  return (user + system) / 1e3;
}

function quantile(values: readonly number[], q: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))] ?? Number.NaN;
}

function report(what: string, value: number): void {
  console.log(`${what.padEnd(56)} ${value.toFixed(value < 10 ? 2 : 0).padStart(8)}`);
}

function say(text: string): void {
  console.error(`bench: ${text}`);
}
