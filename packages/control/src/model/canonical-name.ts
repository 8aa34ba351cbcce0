/** `<canonical name>;<canonical revision>` of a workload, by Istio's labels and the usual ones. */
export function canonicalName(labels: Readonly<Record<string, string>>, workloadName: string): string {
  const name = labels["service.istio.io/canonical-name"] ?? labels.app ?? workloadName;
  return `${name};${labels["service.istio.io/canonical-revision"] ?? labels.version ?? "latest"}`;
}
