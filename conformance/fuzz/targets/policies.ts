import assert from "node:assert/strict";
import { parseConfig } from "@weft/control/config/parse-config";
import { fixture } from "@weft/control/translate/mesh-fixture";
import { translateSidecar } from "@weft/control/translate/translate-sidecar";
import type { FuzzTarget } from "../target.ts";

const policy = (kind: string, spec: string) =>
  Buffer.from(`apiVersion: security.istio.io/v1\nkind: ${kind}\nmetadata: { name: p }\nspec: ${spec}\n`);

/**
 * Whatever is written: an error with its place or a policy, never both; and each
 * policy that is taken can be translated. A DENY or ALLOW that is applied is
 * enforced, so that nothing that was written is lost on the way.
 */
export const policies: FuzzTarget = {
  name: "policies",
  seeds: [
    policy(
      "AuthorizationPolicy",
      '{ action: DENY, rules: [{ from: [{ source: { principals: ["*/ns/a/sa/b"], notIpBlocks: [10.0.0.0/8] } }], to: [{ operation: { paths: ["/a*", "/{**}/x"], notMethods: [GET], hosts: ["*.example"], ports: ["80"] } }], when: [{ key: "request.headers[x-a]", values: [b], notValues: ["*"] }] }] }',
    ),
    policy("AuthorizationPolicy", "{}"),
    policy(
      "AuthorizationPolicy",
      '{ selector: { matchLabels: { app: api } }, action: ALLOW, rules: [{ when: [{ key: "request.auth.claims[a][b]", values: ["*c"] }, { key: source.namespace, values: [d] }] }] }',
    ),
    policy(
      "PeerAuthentication",
      '{ selector: { matchLabels: { app: api } }, mtls: { mode: STRICT }, portLevelMtls: { "80": { mode: DISABLE } } }',
    ),
    policy(
      "RequestAuthentication",
      '{ jwtRules: [{ issuer: me, audiences: [a], jwks: "{\\"keys\\":[]}", fromHeaders: [{ name: x, prefix: "b " }] }] }',
    ),
  ],
  tokens: [
    "rules:",
    "{",
    "}",
    "[",
    "]",
    "*",
    "**",
    "{*}",
    "\n---\n",
    "&a ",
    "*a",
    "!!binary ",
    "null",
    "~",
    '"',
    "%",
    "DENY",
    "notPaths: [a]",
    "spiffe://",
    "\t",
  ],
  check(input) {
    const text = input.toString("utf8");
    const { resources, diagnostics } = parseConfig([{ name: "p.yaml", text }]);
    for (const { severity, message, origin } of diagnostics) {
      assert.ok(message !== "" && (severity !== "error" || origin !== undefined), "an error has its place");
    }
    if (resources.length === 0) return;
    const { mesh } = fixture({ workloads: [{ service: "api", ports: [{ port: 80 }] }] }, text);
    const workload = mesh.workloads.get("api-v1.default")!;
    const translated = JSON.stringify(translateSidecar(mesh, workload), (_, value: unknown) =>
      typeof value === "bigint"
        ? `${value}`
        : value instanceof Uint8Array
          ? Buffer.from(value).toString("latin1")
          : value,
    );
    for (const { name, namespace, action, isDryRun, rules } of workload.policies) {
      if (isDryRun || rules.length === 0 || action === "CUSTOM") continue;
      assert.ok(translated.includes(`ns[${namespace}]-policy[${name}]-rule[0]`), `${name} is enforced`);
    }
  },
};
