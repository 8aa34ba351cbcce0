/**
 * The second process of the control plane's benchmark: thousands of simulated
 * delta clients. Takes orders over IPC: connect, or connect again all at once.
 */
import { DeltaClient, type Held } from "./control-plane/delta-client.ts";
import { clusterName, nodeIdOf, routeNames, subscribedServices } from "./control-plane/names.ts";
import type { ClientOrder } from "./control-plane/scene.ts";

/** As many begin in one turn: thousands of processes would not hold up one another. */
const perTurn = 50;
const reconnectMs = 1_000;

/** What the first client was sent, whichever connection it came by: what all of them hold. */
const received = new Map<string, Map<string, string>>();
let clients: DeltaClient[] = [];
let lastOrder: ClientOrder | undefined;

process.on("message", async (order: ClientOrder) => {
  lastOrder = order;
  const { port, proxies, services, isReconnect, stuck } = order;
  // As the control plane's end would: all connections are gone at once, and all come back at once.
  const holds: Held | undefined = isReconnect ? structuredClone(received) : undefined;
  for (const client of clients) client.close();
  const routes = new Set(routeNames(services));
  const endpoints = [0, 1].map((half) => new Set(subscribedServices(half, services).map(clusterName)));
  clients = [];
  const open = (i: number) => {
    if (order !== lastOrder) return;
    clients[i] = new DeltaClient({
      port,
      wanted: { nodeId: nodeIdOf(i, services), endpoints: endpoints[i % 2]!, routes },
      ...(i === 0 ? { keepsIn: received } : {}),
      ...(holds ? { holds } : {}),
      isStuck: i >= proxies,
      onAnswered() {},
      onLost: () => setTimeout(() => open(i), reconnectMs),
    });
  };
  for (let i = 0; i < proxies + stuck; i += 1) {
    open(i);
    if (i % perTurn === perTurn - 1) await new Promise((resolve) => setImmediate(resolve));
  }
});
process.on("disconnect", () => process.exit());
process.send?.("ready");
