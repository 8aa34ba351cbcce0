import type { Socket } from "node:net";
import { afterEach } from "node:test";
import type { ClusterPlan } from "../cluster/cluster-plan.ts";
import type { ListenerPlan } from "./listener-plan.ts";
import type { RuntimeOptions } from "./runtime.ts";
import { startTestProxy, type TestProxy } from "./test-proxy.ts";
import { RawClient, startServer } from "./test-raw-client.ts";

/** What a test starts of a proxy, its clients and its upstreams; closed after each test of the file that imports this. */
export const closers: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

export async function start(
  plans: readonly ListenerPlan[],
  clusters: readonly ClusterPlan[],
  options: Partial<RuntimeOptions> = {},
): Promise<TestProxy> {
  const proxy = await startTestProxy(plans, clusters, options);
  closers.push(() => proxy.close());
  return proxy;
}

export async function connect(port: number): Promise<RawClient> {
  const client = await RawClient.connect(port);
  closers.push(() => client.close());
  return client;
}

export async function server(serve: (socket: Socket) => void): ReturnType<typeof startServer> {
  const started = await startServer(serve);
  closers.push(() => started.close());
  return started;
}
