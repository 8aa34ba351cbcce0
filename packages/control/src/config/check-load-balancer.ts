import { checkLocalitySetting } from "./check-locality-setting.ts";
import type { ConsistentHashSpec, PortPolicySpec } from "./destination-rule-specs.ts";
import type { Finding } from "./finding.ts";
import { topologyNames } from "./topology-names.ts";

/** What Envoy holds at most in a ring, and in a Maglev table. */
const maxRingSize = 8_388_608;
const maxTableSize = 5_000_011;

/** Of a policy, the part that says how endpoints are chosen. */
export function checkLoadBalancer(policy: PortPolicySpec, path: string, find: Finding): void {
  const spec = policy.loadBalancer;
  if (!spec) return;
  const { outlierDetection } = policy;
  checkLocalitySetting(spec.localityLbSetting, `${path}.localityLbSetting`, find, { outlierDetection });
  checkLocalitySetting(spec.zoneAwareLbSetting, `${path}.zoneAwareLbSetting`, find);
  if (spec.localityLbSetting && spec.zoneAwareLbSetting) {
    const at = `${path}.zoneAwareLbSetting`;
    find.error(
      "W1106",
      at,
      `${path} sets localityLbSetting and zoneAwareLbSetting at once`,
      "keep one of them",
    );
  }
  const topology = spec.zoneAwareLbSetting?.failoverPriority?.findIndex((label) =>
    topologyNames.includes(label),
  );
  if (topology !== undefined && topology >= 0) {
    const at = `${path}.zoneAwareLbSetting.failoverPriority[${topology}]`;
    find.error("W1106", at, `${at}: places are told apart by zoneAwareLbSetting itself`, "remove it");
  }
  const { consistentHash, simple, warmup } = spec;
  find.duration(`${path}.warmup.duration`, warmup?.duration, { minMs: 1 });
  find.duration(`${path}.warmupDurationSecs`, spec.warmupDurationSecs, { minMs: 1 });
  find.range(`${path}.warmup.minimumPercent`, warmup?.minimumPercent, 0, 100);
  if (warmup?.aggression !== undefined && warmup.aggression <= 0) {
    const at = `${path}.warmup.aggression`;
    find.error("W1105", at, `${at} must be above 0`, "1 grows the share evenly, more grows it earlier");
  }
  const warms = (["warmup", "warmupDurationSecs"] as const).find((field) => spec[field] !== undefined);
  if (warms && (consistentHash || simple === "RANDOM" || simple === "PASSTHROUGH")) {
    const at = `${path}.${warms}`;
    const message = `${at} applies to LEAST_REQUEST and ROUND_ROBIN only: new endpoints get their full share at once`;
    find.warning("W1106", at, message, "remove it");
  }
  if (consistentHash) checkConsistentHash(consistentHash, `${path}.consistentHash`, find);
}

function checkConsistentHash(spec: ConsistentHashSpec, path: string, find: Finding): void {
  const { httpCookie, httpHeaderName, httpQueryParameterName, maglev, ringHash, useSourceIp } = spec;
  if (!httpHeaderName && !httpQueryParameterName && !httpCookie && !useSourceIp) {
    const hint = "one of httpHeaderName, httpCookie, useSourceIp, httpQueryParameterName";
    find.warning("W1207", path, `${path} names no key: requests are spread at random`, hint);
  }
  if (httpHeaderName) find.headerName(`${path}.httpHeaderName`, httpHeaderName);
  if (httpCookie?.name === "")
    find.error("W1104", `${path}.httpCookie.name`, `${path}.httpCookie.name is empty`);
  find.duration(`${path}.httpCookie.ttl`, httpCookie?.ttl);
  find.range(`${path}.minimumRingSize`, spec.minimumRingSize, 0, maxRingSize);
  find.range(`${path}.ringHash.minimumRingSize`, ringHash?.minimumRingSize, 0, maxRingSize);
  find.range(`${path}.maglev.tableSize`, maglev?.tableSize, 0, maxTableSize);
  if (maglev?.tableSize && !isPrime(maglev.tableSize)) {
    const at = `${path}.maglev.tableSize`;
    find.error("W1105", at, `${at}: ${maglev.tableSize} is not a prime number`, "for example 65537");
  }
}

/** Of numbers up to `maxTableSize`: at most a thousand divisions. */
function isPrime(value: number): boolean {
  if (value < 2 || value > maxTableSize) return false;
  for (let i = 2; i * i <= value; i++) if (value % i === 0) return false;
  return true;
}
