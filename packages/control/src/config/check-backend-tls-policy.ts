import type { Finding } from "./finding.ts";
import type { BackendTlsPolicySpec, PolicyTargetRefSpec } from "./gateway-api-specs.ts";

/** What the rules of its CRD ask beside the schema. */
export function checkBackendTlsPolicy(spec: BackendTlsPolicySpec, find: Finding): void {
  checkTargets(spec.targetRefs, find);
  const { caCertificateRefs = [], wellKnownCACertificates, subjectAltNames = [] } = spec.validation;
  const path = "spec.validation";
  if (caCertificateRefs.length > 0 && wellKnownCACertificates) {
    const at = `${path}.wellKnownCACertificates`;
    find.error("W1106", at, `${path} sets caCertificateRefs and wellKnownCACertificates at once`, "keep one");
  } else if (caCertificateRefs.length === 0 && !wellKnownCACertificates) {
    const hint =
      "name a ConfigMap with ca.crt in caCertificateRefs, or write wellKnownCACertificates: System";
    find.error("W1104", path, `${path} says nothing that verifies a certificate`, hint);
  }
  subjectAltNames.forEach((name, i) => {
    const at = `${path}.subjectAltNames[${i}]`;
    const [wanted, other] =
      name.type === "URI" ? (["uri", "hostname"] as const) : (["hostname", "uri"] as const);
    if (!name[wanted]) find.error("W1104", at, `${at}: type ${name.type} needs ${wanted}`);
    if (name[other])
      find.error("W1106", `${at}.${other}`, `${at}: type ${name.type} has no ${other}`, "remove it");
  });
}

/** Of one service, either all of it or ports that differ. */
function checkTargets(targets: readonly PolicyTargetRefSpec[], find: Finding): void {
  targets.forEach((target, i) => {
    const rivals = targets
      .slice(0, i)
      .filter(
        ({ group, kind, name }) => group === target.group && kind === target.kind && name === target.name,
      );
    if (rivals.length === 0) return;
    const at = `spec.targetRefs[${i}]`;
    if (rivals.some(({ sectionName }) => !sectionName) || !target.sectionName) {
      const message = `${at}: ${target.kind} ${target.name} is a target twice, and not by ports`;
      find.error("W1210", at, message, "name a port by sectionName in each, or keep one");
    } else if (rivals.some(({ sectionName }) => sectionName === target.sectionName)) {
      const message = `${at}: port ${target.sectionName} of ${target.kind} ${target.name} is a target twice`;
      find.error("W1210", at, message, "keep one");
    }
  });
}
