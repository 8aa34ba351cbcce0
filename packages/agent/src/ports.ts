/** Istio's ports, so that people's firewalls, probes and scrape configurations carry over. */
export const ports = {
  admin: 15000,
  outbound: 15001,
  inbound: 15006,
  health: 15021,
  dns: 15053,
  stats: 15090,
  /** Istio's merged metrics port: kept free of interception like the others. */
  mergedStats: 15020,
  controlPlane: 15012,
} as const;

/** The sidecar's user, and the group by which the sidecar's and the agent's own sockets are known. */
export const sidecarId = 1337;
