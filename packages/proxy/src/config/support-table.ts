import { accessLogSupport } from "./support/access-log.ts";
import { bootstrapSupport } from "./support/bootstrap.ts";
import { clusterSupport } from "./support/cluster.ts";
import { connectionManagerSupport } from "./support/connection-manager.ts";
import { coreSupport } from "./support/core.ts";
import { filtersSupport } from "./support/filters.ts";
import { healthCheckSupport } from "./support/health-check.ts";
import { listenerSupport } from "./support/listener.ts";
import { loadBalancingSupport } from "./support/load-balancing.ts";
import type { MessageSupport } from "./support/message-support.ts";
import { overloadSupport } from "./support/overload.ts";
import { routeSupport } from "./support/route.ts";
import { tlsSupport } from "./support/tls.ts";
import { tracingSupport } from "./support/tracing.ts";

/**
 * Every message and field this proxy acts upon. What is not here is refused by
 * name wherever it is set: this table is the whole difference between this
 * proxy and Envoy's API.
 */
export const supportTable: Readonly<Record<string, MessageSupport>> = {
  ...bootstrapSupport(),
  ...coreSupport(),
  ...listenerSupport(),
  ...connectionManagerSupport(),
  ...routeSupport(),
  ...clusterSupport(),
  ...loadBalancingSupport(),
  ...healthCheckSupport(),
  ...tlsSupport(),
  ...accessLogSupport(),
  ...filtersSupport(),
  ...overloadSupport(),
  ...tracingSupport(),
};
