import { isIP } from "node:net";
import { checkConnectionPool } from "./check-connection-pool.ts";
import { checkExportTo } from "./check-export-to.ts";
import { checkLoadBalancer } from "./check-load-balancer.ts";
import type { DestinationRuleSpec, PortPolicySpec, TrafficPolicySpec } from "./destination-rule-specs.ts";
import type { CheckedMetadata, Finding } from "./finding.ts";

export function checkDestinationRule(
  spec: DestinationRuleSpec,
  find: Finding,
  metadata: CheckedMetadata,
): void {
  checkExportTo(spec.exportTo, (i) => `spec.exportTo[${i}]`, metadata.namespace, find);
  find.host("spec.host", spec.host);
  checkPolicy(spec.trafficPolicy, "spec.trafficPolicy", find);
  const names = new Map<string, number>();
  spec.subsets?.forEach((subset, i) => {
    const path = `spec.subsets[${i}]`;
    if (!/^[A-Za-z0-9]([-._A-Za-z0-9]*[A-Za-z0-9])?$/.test(subset.name)) {
      find.error("W1203", `${path}.name`, `${path}.name: "${subset.name}" is not a subset name`);
    }
    const first = names.get(subset.name);
    if (first !== undefined) {
      find.error(
        "W1210",
        `${path}.name`,
        `subset "${subset.name}" is written twice`,
        `the first is spec.subsets[${first}]`,
      );
    }
    names.set(subset.name, first ?? i);
    checkPolicy(subset.trafficPolicy, `${path}.trafficPolicy`, find);
  });
}

function checkPolicy(policy: TrafficPolicySpec | undefined, path: string, find: Finding): void {
  if (!policy) return;
  checkPortPolicy(policy, path, find);
  find.range(`${path}.retryBudget.percent`, policy.retryBudget?.percent, 0, 100);
  checkTunnel(policy, `${path}.tunnel`, find);
  policy.portLevelSettings?.forEach((settings, i) => {
    const at = `${path}.portLevelSettings[${i}]`;
    if (settings.port?.number === undefined) find.error("W1104", at, `${at}.port.number is missing`);
    find.port(`${at}.port.number`, settings.port?.number);
    checkPortPolicy(settings, at, find);
  });
}

function checkTunnel({ tunnel }: TrafficPolicySpec, path: string, find: Finding): void {
  if (!tunnel) return;
  if (tunnel.protocol) find.word(`${path}.protocol`, tunnel.protocol, ["CONNECT", "POST"]);
  if (isIP(tunnel.targetHost) === 0) find.host(`${path}.targetHost`, tunnel.targetHost);
  if (tunnel.targetHost.startsWith("*")) {
    find.error("W1203", `${path}.targetHost`, "a tunnel cannot lead to a wildcard", "name one host");
  }
  find.port(`${path}.targetPort`, tunnel.targetPort);
}

function checkPortPolicy(policy: PortPolicySpec, path: string, find: Finding): void {
  checkConnectionPool(policy.connectionPool, `${path}.connectionPool`, find);
  checkLoadBalancer(policy, `${path}.loadBalancer`, find);
  const outlier = policy.outlierDetection;
  find.duration(`${path}.outlierDetection.interval`, outlier?.interval, { minMs: 1 });
  find.duration(`${path}.outlierDetection.baseEjectionTime`, outlier?.baseEjectionTime, { minMs: 1 });
  find.range(`${path}.outlierDetection.maxEjectionPercent`, outlier?.maxEjectionPercent, 0, 100);
  find.range(`${path}.outlierDetection.minHealthPercent`, outlier?.minHealthPercent, 0, 100);
  const { tls } = policy;
  if (tls?.mode === "MUTUAL" && !tls.credentialName && (!tls.clientCertificate || !tls.privateKey)) {
    const message = `${path}.tls: mode MUTUAL needs clientCertificate and privateKey`;
    find.error(
      "W1104",
      `${path}.tls`,
      message,
      "name both files or a credentialName, or use ISTIO_MUTUAL for workloads of the mesh",
    );
  }
  if (tls?.insecureSkipVerify && tls.caCrl) {
    find.error(
      "W1106",
      `${path}.tls.caCrl`,
      `${path}.tls sets insecureSkipVerify and caCrl at once`,
      "keep one of them",
    );
  }
  const files = ["caCertificates", "caCrl", "clientCertificate", "privateKey"] as const;
  const file = tls?.credentialName && files.find((field) => tls[field]);
  if (file) {
    const message = `${path}.tls sets credentialName and ${file} at once`;
    find.error("W1106", `${path}.tls.${file}`, message, "keep one of them");
  }
  if (tls?.mode === "ISTIO_MUTUAL") {
    for (const field of [...files, "credentialName"] as const) {
      if (!tls[field]) continue;
      find.error(
        "W1106",
        `${path}.tls.${field}`,
        `${path}.tls.${field} cannot be set with ISTIO_MUTUAL`,
        "remove it",
      );
    }
  }
}
