import type { RouteAction_UpgradeConfig } from "@weft/xds/gen/envoy/config/route/v3/route_components_pb";
import { at, type Issues } from "./issues.ts";

interface UpgradeConfig {
  readonly upgradeType: string;
  readonly enabled?: boolean | undefined;
}

/** Decodes `upgrade_configs` of a connection manager or a route: by protocol in lower case, whether it is allowed. */
export function decodeUpgrades(
  configs: readonly UpgradeConfig[],
  path: string,
  issues: Issues,
): ReadonlyMap<string, boolean> {
  const upgrades = new Map<string, boolean>();
  configs.forEach(({ upgradeType, enabled }, i) => {
    const name = upgradeType.toLowerCase();
    const place = at(`${path}[${i}]`, "upgrade_type");
    if (name === "") issues.add(place, "is empty", "name a protocol, such as `websocket` or `CONNECT`");
    else if (upgrades.has(name)) issues.add(place, `'${upgradeType}' stands twice in this list`);
    upgrades.set(name, enabled ?? true);
  });
  return upgrades;
}

/** Whether a route ends CONNECT itself. @see envoy.config.route.v3.RouteAction.UpgradeConfig.ConnectConfig */
export function decodeTerminatesConnect(
  configs: readonly RouteAction_UpgradeConfig[],
  path: string,
  issues: Issues,
): boolean {
  let terminates = false;
  configs.forEach(({ connectConfig, upgradeType, enabled }, i) => {
    if (!connectConfig) return;
    if (upgradeType.toLowerCase() === "connect") terminates = enabled ?? true;
    else {
      const place = at(`${path}[${i}]`, "connect_config");
      issues.add(place, "is for CONNECT only", "set `upgrade_type: CONNECT`");
    }
  });
  return terminates;
}
