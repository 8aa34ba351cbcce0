/**
 * The second process of the control plane's benchmark: thousands of simulated
 * delta clients. Takes orders over IPC: connect, or connect again all at once.
 */
import { DeltaClient, type Held } from "./control-plane/delta-client.ts";
import { clusterName, nodeIdOf, routeNames, subscribedServices } from "./control-plane/names.ts";
import type { ClientOrder } from "./control-plane/scene.ts";

let clients: DeltaClient[] = [];
let holds: Held | undefined;

process.on("message", ({ port, proxies, services, isReconnect, stuck }: ClientOrder) => {
  // As the control plane's end would: all connections are gone at once, and all come back at once.
  holds = isReconnect ? clients[0]?.held : undefined;
  for (const client of clients) client.close();
  clients = Array.from({ length: proxies + stuck }, (_, i) => {
    const wanted = {
      nodeId: nodeIdOf(i, services),
      endpoints: subscribedServices(i, services).map(clusterName),
      routes: routeNames(services),
    };
    return new DeltaClient({
      port,
      wanted,
      keepsVersions: i === 0,
      ...(holds ? { holds } : {}),
      isStuck: i >= proxies,
      onAnswered() {},
    });
  });
});
process.on("disconnect", () => process.exit());
process.send?.("ready");
