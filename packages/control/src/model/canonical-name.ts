type Labels = Readonly<Record<string, string>>;

/** `<canonical name>;<canonical revision>` of a workload, by Istio's labels and the usual ones. */
export function canonicalName(labels: Labels, workloadName: string): string {
  const name = labels["service.istio.io/canonical-name"] ?? labels.app ?? workloadName;
  return `${name};${canonicalRevision(labels)}`;
}

export function canonicalRevision(labels: Labels): string {
  return labels["service.istio.io/canonical-revision"] ?? labels.version ?? "latest";
}
