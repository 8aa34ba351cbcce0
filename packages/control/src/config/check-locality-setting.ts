import type { LocalitySettingSpec, OutlierDetectionSpec } from "./destination-rule-specs.ts";
import type { Finding } from "./finding.ts";
import { topologyNames } from "./topology-names.ts";

/**
 * What holds for a setting of localities wherever it is written, and, where it
 * is known whether anybody watches the endpoints, whether it can take effect.
 */
export function checkLocalitySetting(
  spec: LocalitySettingSpec | undefined,
  path: string,
  find: Finding,
  watched?: { readonly outlierDetection: OutlierDetectionSpec | undefined },
): void {
  if (!spec || spec.enabled === false) return;
  const { distribute = [], failover = [], failoverPriority = [] } = spec;
  checkTogether(spec, path, find);
  const from = distribute.map((share, i) => checkShare(share, `${path}.distribute[${i}]`, find));
  checkOverlaps(from, (i) => `${path}.distribute[${i}].from`, find);
  failover.forEach((one, i) => {
    checkFailover(one, `${path}.failover[${i}]`, find);
    if (failover.findIndex((other) => other.from === one.from) < i) {
      find.error("W1210", `${path}.failover[${i}].from`, `region "${one.from}" is written twice`);
    }
  });
  failoverPriority.forEach((label, i) => {
    const at = `${path}.failoverPriority[${i}]`;
    if (label === "" || label.startsWith("=")) find.error("W1104", at, `${at} names no label`);
    if (failoverPriority.indexOf(label) < i) find.error("W1210", at, `label "${label}" is written twice`);
  });
  const asks =
    failover.length > 0 ? "failover" : failoverPriority.length > 0 ? "failoverPriority" : undefined;
  if (asks && watched && !watched.outlierDetection) {
    const message = `${path}.${asks} has no effect without outlierDetection: nothing would tell that the nearest are unwell`;
    find.warning("W1106", `${path}.${asks}`, message, "add outlierDetection beside loadBalancer");
  }
}

function checkTogether(spec: LocalitySettingSpec, path: string, find: Finding): void {
  const { distribute = [], failover = [], failoverPriority = [] } = spec;
  for (const [name, list] of Object.entries({ failover, failoverPriority })) {
    if (distribute.length === 0 || list.length === 0) continue;
    const message = `${path} sets distribute and ${name} at once`;
    find.error("W1106", `${path}.${name}`, message, "keep one of them");
  }
  const topology = failoverPriority.findIndex((label) => topologyNames.includes(label));
  if (failover.length > 0 && topology >= 0) {
    const at = `${path}.failoverPriority[${topology}]`;
    find.error("W1106", at, `${at} and failover both say what a place has to do with it`, "keep one of them");
  }
}

type ShareSpec = NonNullable<LocalitySettingSpec["distribute"]>[number];

/** What it is from, for a look at all of them. */
function checkShare({ from = "", to = {} }: ShareSpec, path: string, find: Finding): string {
  checkPlace(from, `${path}.from`, find);
  const places = Object.keys(to);
  for (const place of places) {
    checkPlace(place, `${path}.to`, find);
    if (to[place] === 0) {
      find.error("W1105", `${path}.to`, `${path}.to: "${place}" has no share`, "1 to 100, or leave it out");
    }
  }
  checkOverlaps(places, () => `${path}.to`, find);
  const sum = places.reduce((total, place) => total + to[place]!, 0);
  if (sum !== 100) find.error("W1105", `${path}.to`, `${path}.to comes to ${sum}`, "the shares come to 100");
  return from;
}

/** `region/zone/subzone`; a `*` is the last. */
function checkPlace(place: string, path: string, find: Finding): void {
  const parts = place.split("/");
  const star = parts.indexOf("*");
  if (place === "" || parts.length > 3 || parts.includes("")) {
    find.error("W1211", path, `${path}: "${place}" is not a locality`, 'write "region/zone/subzone"');
  } else if (star >= 0 && star < parts.length - 1) {
    find.error("W1211", path, `${path}: "${place}" goes on behind "*"`, 'write for example "region/*"');
  }
}

/** Where two would hold for one place, it would not be said which. */
function checkOverlaps(places: readonly string[], pathOf: (i: number) => string, find: Finding): void {
  places.forEach((place, i) => {
    const other = places.slice(0, i).find((before) => areOverlapping(before, place));
    if (other === undefined) return;
    find.error("W1210", pathOf(i), `"${other}" and "${place}" have places in common`, "keep them apart");
  });
}

function areOverlapping(a: string, b: string): boolean {
  const [left, right] = [a.split("/"), b.split("/")];
  for (let i = 0; i < 3; i++) {
    const [own, other] = [left[i] ?? "*", right[i] ?? "*"];
    if (own === "*" || other === "*") return true;
    if (own !== other) return false;
  }
  return true;
}

function checkFailover(
  { from = "", to = "" }: NonNullable<LocalitySettingSpec["failover"]>[number],
  path: string,
  find: Finding,
): void {
  for (const [end, region] of Object.entries({ from, to })) {
    if (region !== "" && !/[/*]/.test(region)) continue;
    find.error("W1211", `${path}.${end}`, `${path}.${end}: "${region}" is not a region`, "name one region");
  }
  if (from === to) find.error("W1105", `${path}.to`, `${path}: "${to}" cannot stand in for itself`);
}
