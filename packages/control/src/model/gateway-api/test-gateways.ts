/** Gateways of the Gateway API in a mesh: for tests of what they serve and say. */
import { formatDiagnostic } from "@weft/base/diagnostics";
import { TestCa as Ca, type TestCa } from "@weft/testkit/test-ca";
import { fixture, type Scenario } from "../../translate/mesh-fixture.ts";
import { translateSidecar } from "../../translate/translate-sidecar.ts";
import { buildMesh } from "../build-mesh.ts";
import type { Condition } from "./route-status.ts";

/** The proxy of the Gateway `front/shop`, and a service in each of two namespaces. */
export const shopProxy = {
  service: "",
  name: "edge",
  namespace: "front",
  isGateway: true,
  interception: "NONE",
  ports: [],
  labels: { "gateway.networking.k8s.io/gateway-name": "shop" },
} as const;
const scenario: Scenario = {
  workloads: [shopProxy, { service: "web", namespace: "front" }, { service: "api", namespace: "back" }],
};

const ca = new Ca();

export function tlsSecret(name: string, namespace: string): string {
  const { chainPem, keyPem } = ca.leaf(undefined, undefined, { dnsNames: [`${name}.example.com`] });
  const data = Object.entries({ "tls.crt": chainPem, "tls.key": keyPem }).map(
    ([key, text]) => `${key}: ${Buffer.from(text).toString("base64")}`,
  );
  return `---\napiVersion: v1\nkind: Secret\nmetadata: { name: ${name}, namespace: ${namespace} }\ntype: kubernetes.io/tls\ndata: { ${data.join(", ")} }\n`;
}

export function trustMap(name: string, namespace: string, authority: TestCa = ca): string {
  const text = JSON.stringify(authority.bundlePem);
  return `---\napiVersion: v1\nkind: ConfigMap\nmetadata: { name: ${name}, namespace: ${namespace} }\ndata: { ca.crt: ${text} }\n`;
}

export function grant(from: string, to: string): string {
  const [kind, namespace] = from.split(" ");
  const [toKind, toNamespace] = to.split(" ");
  return `---\napiVersion: gateway.networking.k8s.io/v1beta1\nkind: ReferenceGrant\nmetadata: { name: g-${kind!.toLowerCase()}-${toKind!.toLowerCase()}, namespace: ${toNamespace} }\nspec: { from: [{ group: gateway.networking.k8s.io, kind: ${kind}, namespace: ${namespace} }], to: [{ group: "", kind: ${toKind} }] }\n`;
}

/** `Accepted True Accepted` and the like, in order. */
export function words(conditions: readonly Condition[]): string[] {
  return conditions.map(({ type, isTrue, reason }) => `${type} ${isTrue} ${reason}`);
}

export function builtGateways(yaml: string, more: Partial<Scenario> = {}) {
  const { mesh, input } = fixture({ ...scenario, ...more }, yaml);
  const { routes, gateways, policyStatuses, diagnostics } = buildMesh(input);
  const [proxy] = input.workloads;
  const statusOf = (key: string) => gateways.get(key);
  return {
    mesh,
    given: translateSidecar(mesh, mesh.workloads.get(proxy!.id)!),
    role: mesh.workloads.get(proxy!.id)!.gateway!,
    policyStatuses,
    statusOf,
    conditions: (key: string) => words(statusOf(key)?.conditions ?? []),
    /** By name. */
    listeners: (key: string): Readonly<Record<string, string[]>> =>
      Object.fromEntries(
        (statusOf(key)?.listeners ?? []).map(({ name, conditions }) => [name, words(conditions)]),
      ),
    /** For each parent of a route. */
    reasons: (key: string) =>
      routes.get(key)?.map(({ conditions }) => conditions.map(({ reason }) => reason).join()) ?? [],
    said: diagnostics.map(formatDiagnostic).join("\n"),
  };
}
