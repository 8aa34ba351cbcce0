import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { formatDiagnostic } from "@weft/base/diagnostics";
import { parseConfig } from "./parse-config.ts";

/** What is said of a policy's spec, without places. */
function findings(kind: string, spec: string, metadata = "name: p"): string[] {
  const text = `apiVersion: security.istio.io/v1\nkind: ${kind}\nmetadata: { ${metadata} }\nspec: ${spec}\n`;
  return parseConfig([{ name: "p.yaml", text }]).diagnostics.map((d) =>
    formatDiagnostic(d).replace(/^\S+ /, ""),
  );
}

type Cases = readonly [what: string, spec: string, expected: RegExp][];

function table(kind: string, cases: Cases): void {
  for (const [what, spec, expected] of cases) {
    it(what, () => {
      const found = findings(kind, spec);
      assert.equal(found.length, 1, found.join("\n"));
      assert.match(found[0]!, expected);
    });
  }
}

const jwks = `'{"keys":[{"kty":"EC","crv":"P-256","x":"f0udoqIiLhf18kydOAMeDuOoCTsjs_umfH-1K2HO-s8","y":"zuv218iKYnEhXve5LvHCncAsRXxf-juy72KxaJ2Qpts"}]}'`;
const rule = (fields: string) => `{ jwtRules: [{ ${fields} }] }`;

describe("a RequestAuthentication is refused", () => {
  table("RequestAuthentication", [
    ["without issuer and keys", rule("audiences: [a]"), /error W1104: spec\.jwtRules\[0\] has neither/],
    ["with keys of nobody", rule(`jwks: ${jwks}`), /error W1104: .*issuer is missing/],
    [
      "with two places for keys",
      rule(`issuer: a, jwks: ${jwks}, jwksUri: "https://a"`),
      /error W1106: .*jwks and jwksUri/,
    ],
    ["with keys that are none", rule("issuer: a, jwks: '{}'"), /error W1213: .*no list called "keys"/],
    [
      "with a secret for all who verify",
      rule(`issuer: a, jwks: '{"keys":[{"kty":"oct","k":"c2VjcmV0"}]}'`),
      /error W1213: .*is a secret/,
    ],
    [
      "with keys in a file",
      rule('issuer: a, jwksUri: "file:///etc/keys"'),
      /error W1213: .*not an http or https/,
    ],
    ["with a password in the URL", rule('issuer: a, jwksUri: "https://u:p@a/"'), /error W1213: .*password/],
    ["with an issuer that cannot be asked", rule("issuer: me@example"), /error W1213: .*issuer is asked/],
    [
      "with claims as the host",
      rule(`issuer: a, jwks: ${jwks}, outputClaimToHeaders: [{ header: Host, claim: a }]`),
      /error W1206: .*"Host"/,
    ],
    [
      "with a payload in what is no header",
      rule(`issuer: a, jwks: ${jwks}, outputPayloadToHeader: ":path"`),
      /error W1206/,
    ],
    [
      "with no time to answer",
      rule('issuer: a, jwksUri: "https://a", timeout: 0s'),
      /error W1201: .*too short/,
    ],
    [
      "for labels and a Gateway",
      "{ selector: { matchLabels: { a: b } }, targetRefs: [{ group: gateway.networking.k8s.io, kind: Gateway, name: g }] }",
      /error W1106: spec sets selector and targetRefs/,
    ],
    [
      "for a Service",
      "{ targetRefs: [{ kind: Service, name: s }] }",
      /error W1302: .*refers to a Service is enforced by waypoints.*\(.*selector\.matchLabels, as the Service's/,
    ],
    [
      "for a ServiceEntry",
      "{ targetRefs: [{ group: networking.istio.io, kind: ServiceEntry, name: s }] }",
      /error W1302: .*refers to a ServiceEntry is enforced by waypoints.*\(.*egress gateway/,
    ],
    [
      "for a GatewayClass",
      "{ targetRefs: [{ group: gateway.networking.k8s.io, kind: GatewayClass, name: istio-waypoint }] }",
      /error W1302: .*refers to a GatewayClass is enforced by waypoints.*\(.*each Gateway/,
    ],
    [
      "for anything else",
      "{ targetRefs: [{ group: apps, kind: Deployment, name: s }] }",
      /error W1302: .*not for a Deployment \(apps\)/,
    ],
    [
      "for a Gateway of another namespace",
      "{ targetRef: { group: gateway.networking.k8s.io, kind: Gateway, name: g, namespace: other } }",
      /error W1105: .*its own namespace/,
    ],
  ]);
});

describe("an AuthorizationPolicy is refused", () => {
  const when = (key: string, values = "[a]") =>
    `{ rules: [{ when: [{ key: "${key}", values: ${values} }] }] }`;
  const to = (operation: string) => `{ rules: [{ to: [{ operation: { ${operation} } }] }] }`;
  const from = (source: string) => `{ rules: [{ from: [{ source: { ${source} } }] }] }`;
  table("AuthorizationPolicy", [
    [
      "with a provider and nothing to ask",
      "{ provider: { name: a } }",
      /error W1106: spec\.provider is for action CUSTOM/,
    ],
    ["that asks nobody", "{ action: CUSTOM, rules: [{}] }", /error W1104: spec\.provider\.name is missing/],
    [
      "that asks about nothing",
      "{ action: CUSTOM, provider: { name: a } }",
      /error W1104: spec\.rules is missing/,
    ],
    [
      "that asks by who was authenticated afterwards",
      "{ action: CUSTOM, provider: { name: a }, rules: [{ from: [{ source: { principals: [a] } }] }] }",
      /error W1211: .*principals cannot be used with action CUSTOM/,
    ],
    ["as a denial of nothing", "{ action: DENY }", /error W1104: spec\.rules is missing/],
    [
      "with an empty list of callers",
      "{ rules: [{ from: [] }] }",
      /error W1105: spec\.rules\[0\]\.from is empty/,
    ],
    ["with an unknown condition", when("request.auth.issuer"), /error W1103/],
    ["with a claim without name", when("request.auth.claims[]"), /error W1103/],
    ["with a header that is none", when("request.headers[a b]"), /error W1206/],
    ["with a wildcard in the middle of a trust domain", when("source.trustDomain", "[a*b]"), /error W1211/],
    ["with a service account of three parts", from("serviceAccounts: [a/b/c]"), /error W1211/],
    ["with a wildcard for service accounts", from('serviceAccounts: ["a*"]'), /error W1211/],
    ["with a template that is no segment", to('paths: ["/a/{*}b"]'), /error W1211: .*not a path template/],
    ["with a template after a rest", to('paths: ["/a/{**}/{*}"]'), /error W1211: .*not a path template/],
    ["with a template of a name", to('paths: ["/a/{id}"]'), /error W1211: .*not a path template/],
  ]);

  it("not for a template of whole segments", () => {
    assert.deepEqual(findings("AuthorizationPolicy", to('paths: ["/a/{*}/b/{**}", "/{**}/end"]')), []);
  });
});

describe("a DENY policy that sees requests only", () => {
  const deny = (rule: string) => findings("AuthorizationPolicy", `{ action: DENY, rules: [${rule}] }`);

  it("says that it denies all of TCP", () => {
    const [line] = deny("{ to: [{ operation: { paths: [/admin] } }] }");
    assert.match(line!, /warning W1307: .*every connection to TCP ports/);
    assert.equal(deny('{ from: [{ source: { notRequestPrincipals: ["*"] } }] }').length, 1);
  });

  it("says nothing where ports are named, or something else is seen of connections", () => {
    assert.deepEqual(deny("{ to: [{ operation: { paths: [/admin], ports: ['80'] } }] }"), []);
    assert.deepEqual(
      deny("{ from: [{ source: { namespaces: [a] } }], to: [{ operation: { paths: [/a] } }] }"),
      [],
    );
    assert.deepEqual(deny("{}"), []);
  });
});

it("a dry run says true or false", () => {
  const said = (value: string) =>
    findings("AuthorizationPolicy", "{}", `name: p, annotations: { "istio.io/dry-run": "${value}" }`);
  assert.deepEqual([...said("true"), ...said("0")], []);
  assert.match(said("yes").join(), /error W1103: istio\.io\/dry-run: "yes" is neither true nor false/);
});
