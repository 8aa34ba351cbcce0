/** One of Istio's dashboards, and what of it has no data. */
export interface IstioDashboard {
  readonly name: string;
  readonly count: number;
  readonly empty: readonly string[];
}

/** Asks callers for what Istio defines as known to the called side alone: there is never such a series. */
const callerPolicy = /(?=.*reporter="source")(?=.*connection_security_policy="mutual_tls")/s;

/** Why an expression has no data, and whether it asks for something of a sidecar or the control plane. */
const reasons: readonly { readonly of: RegExp; readonly why: string; readonly isOurs: boolean }[] = [
  { of: /container_/, why: "of the kubelet, about containers: processes have none", isOurs: false },
  { of: /pilot_k8s_/, why: "events of a Kubernetes API server: there is none", isOurs: false },
  { of: /galley_|sidecar_injection_/, why: "webhooks of Kubernetes: there are none", isOurs: false },
  {
    of: /go_memstats_(?:alloc_bytes_total|mallocs_total)/,
    why: "the control plane is no Go program, and V8 does not count what it has allocated and freed",
    isOurs: true,
  },
  {
    of: callerPolicy,
    why: "a caller's proxy says `unknown` of the connection's policy, as Istio's does by its definition of the label",
    isOurs: true,
  },
];

/** Undefined for one that should have data. */
export function reasonOf(expression: string): string | undefined {
  return reasons.find(({ of }) => of.test(expression))?.why;
}

function isOurs(expression: string): boolean {
  return reasons.find(({ of }) => of.test(expression))?.isOurs ?? true;
}

/** The page of the documentation. */
export function renderIstioPage(dashboards: readonly IstioDashboard[]): string {
  const rows: string[] = [];
  const rest: string[] = [];
  let asked = 0;
  let good = 0;
  let never = 0;
  for (const { name, count, empty } of dashboards) {
    const elsewhere = empty.filter((expression) => !isOurs(expression)).length;
    asked += count - elsewhere;
    good += count - empty.length;
    never += empty.filter((expression) => callerPolicy.test(expression)).length;
    rows.push(`| \`${name}\` | ${count} | ${elsewhere} | ${count - empty.length} |`);
    if (empty.length === 0) continue;
    rest.push("", `## ${name}`, "");
    for (const expression of empty) {
      rest.push(`- \`${expression.replace(/\s+/g, " ").trim()}\`: ${reasonOf(expression)}`);
    }
  }
  return `${[
    "# Istio's dashboards",
    "",
    `Istio's Grafana dashboards work with Weft's metrics as they are. Of the expressions that concern sidecars and the control plane, ${good} of ${asked} (${Math.floor((100 * good) / asked)} %) return data in a mesh under traffic that a real Prometheus reads with \`observability/prometheus\`, whose \`istio-dashboards.yml\` gives the control plane what a Go program would say of itself; without the ${never} that no mesh has data for, Istio's own included, because they ask callers for \`connection_security_policy="mutual_tls"\`, these are ${Math.floor((100 * good) / (asked - never))} %. This page is written by \`e2e/prometheus.test.ts\`.`,
    "",
    "| dashboard | expressions | of Kubernetes alone | with data |",
    "| --- | --- | --- | --- |",
    ...rows,
    ...rest,
  ].join("\n")}\n`;
}
