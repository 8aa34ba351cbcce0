import { topologyNames } from "../config/topology-names.ts";

/** Where something stands, from the widest part to the narrowest; "" where that is not said. */
export interface Locality {
  readonly region: string;
  readonly zone: string;
  readonly subZone: string;
}

type Labels = Readonly<Record<string, string>>;

const [regionLabel = "", zoneLabel = "", subZoneLabel = ""] = topologyNames;

/** Istio's label, with dots where a slash is not allowed. */
const localityLabel = "istio-locality";

/** `region/zone/subzone`, the last two optional. */
export function parseLocality(text: string): Locality {
  const [region = "", zone = "", subZone = ""] = text.split("/");
  return { region, zone, subZone };
}

export function formatLocality({ region, zone, subZone }: Locality): string {
  return [region, zone, subZone].join("/").replace(/\/+$/, "");
}

/** Where a workload says it stands: in so many words, else by its labels. Undefined: nowhere said. */
export function localityOf(said: Locality | undefined, labels: Labels): Locality | undefined {
  if (said && said.region !== "") return said;
  const written = labels[localityLabel];
  if (written) return parseLocality(written.includes("/") ? written : written.replaceAll(".", "/"));
  const region = labels[regionLabel];
  if (!region) return undefined;
  return { region, zone: labels[zoneLabel] ?? "", subZone: labels[subZoneLabel] ?? "" };
}

/** Labels with those that its locality comes to, so that either can be asked for as the other. */
export function withTopology(labels: Labels, locality: Locality | undefined): Labels {
  if (!locality) return labels;
  const { region, zone, subZone } = locality;
  return {
    ...labels,
    [regionLabel]: region,
    ...(zone === "" ? {} : { [zoneLabel]: zone }),
    ...(subZone === "" ? {} : { [subZoneLabel]: subZone }),
  };
}

/** Whether a place is in `region/zone/subzone`, in which `*` and what is left out are any. */
export function isWithin({ region, zone, subZone }: Locality, pattern: string): boolean {
  const wanted = parseLocality(pattern);
  const isAny = (part: string) => part === "*" || part === "";
  return (
    (wanted.region === "*" || wanted.region === region) &&
    (isAny(wanted.zone) || wanted.zone === zone) &&
    (isAny(wanted.subZone) || wanted.subZone === subZone)
  );
}
