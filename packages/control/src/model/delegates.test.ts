import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { fixture } from "../translate/mesh-fixture.ts";

const scenario = { workloads: [{ service: "api" }, { service: "far", namespace: "team" }] };

const virtualService = (name: string, spec: string, namespace = "default") =>
  `apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: { name: ${name}, namespace: ${namespace} }\nspec:\n${spec}---\n`;
const root = (rules: string) => virtualService("root", `  hosts: [api]\n  http:\n${rules}`);
const to = (host: string) => `route: [{ destination: { host: ${host} } }]`;

/** The rules of `api`, in short. */
function rulesOf(yaml: string): { readonly rules: string[]; readonly findings: readonly string[] } {
  const { mesh, findings } = fixture(scenario, yaml);
  const { http = [] } = mesh.routing.get("api.default.svc.cluster.local") ?? {};
  const rules = http.map(({ matches, action, source, name }) => {
    const conditions = matches.map(({ uri, headers, method }) =>
      [uri && "value" in uri && `${uri.kind} ${uri.value}`, method && "method", ...headers.map((h) => h.name)]
        .filter(Boolean)
        .join(" & "),
    );
    const where = action.kind === "forward" ? action.destinations.map(({ host }) => host) : [action.kind];
    const after = action.kind === "forward" && action.timeoutMs > 0 ? ` after ${action.timeoutMs} ms` : "";
    return `${name ? `${name}: ` : ""}${conditions.join(" | ") || "all"} -> ${where}${after} (${source.config.split("/").at(-1)})`;
  });
  return { rules, findings };
}

describe("what a VirtualService delegates", () => {
  const cases: [name: string, yaml: string, ...expected: string[]][] = [
    [
      "stands in the rule's place, its hosts those of its own namespace",
      root(
        `    - match: [{ uri: { prefix: /team } }]\n      delegate: { name: theirs, namespace: team }\n    - ${to("api")}\n`,
      ) + virtualService("theirs", `  http:\n    - ${to("far")}\n`, "team"),
      "prefix /team -> far.team.svc.cluster.local (theirs)",
      "all -> api.default.svc.cluster.local (root)",
    ],
    [
      "is narrowed by the rule, one match by each it lies in",
      root(
        "    - match: [{ uri: { prefix: /a }, headers: { x: { exact: y } } }, { uri: { prefix: /a/b } }]\n      delegate: { name: own }\n",
      ) +
        virtualService(
          "own",
          `  http:\n    - match: [{ uri: { prefix: /a/b/c }, method: { exact: GET } }]\n      ${to("api")}\n    - match: [{ uri: { exact: /a/z } }]\n      ${to("api")}\n`,
        ),
      "prefix /a/b/c & method & x | prefix /a/b/c & method -> api.default.svc.cluster.local (own)",
      "exact /a/z & x -> api.default.svc.cluster.local (own)",
    ],
    [
      "is left out where it lies outside the rule, or where neither can be told",
      root("    - match: [{ uri: { prefix: /a } }]\n      delegate: { name: own }\n") +
        virtualService(
          "own",
          `  http:\n    - match: [{ uri: { prefix: /b } }]\n      ${to("api")}\n    - match: [{ uri: { regex: "/a.*" } }]\n      ${to("api")}\n    - match: [{ uri: { prefix: /a/x } }, { uri: { prefix: /c } }]\n      ${to("api")}\n`,
        ),
    ],
    [
      "inherits what it does not say itself",
      root("    - name: up\n      timeout: 2s\n      delegate: { name: own }\n") +
        virtualService(
          "own",
          `  http:\n    - name: down\n      match: [{ uri: { prefix: /x } }]\n      timeout: 1s\n      ${to("api")}\n    - ${to("api")}\n`,
        ),
      "up-down: prefix /x -> api.default.svc.cluster.local after 1000 ms (own)",
      "up: all -> api.default.svc.cluster.local after 2000 ms (own)",
    ],
  ];
  for (const [name, yaml, ...expected] of cases) {
    it(name, () => {
      const { rules, findings } = rulesOf(yaml);
      assert.deepEqual(findings, []);
      assert.deepEqual(rules, expected);
    });
  }

  const wrong: [name: string, yaml: string, finding: RegExp][] = [
    [
      "what is not there",
      root(`    - delegate: { name: gone }\n    - ${to("api")}\n`),
      /warning IST0101: there is no VirtualService default\/gone without hosts: this rule applies to nothing/,
    ],
    [
      "what its namespace may not use",
      root(`    - delegate: { name: theirs, namespace: team }\n    - ${to("api")}\n`) +
        virtualService("theirs", `  exportTo: ["."]\n  http:\n    - ${to("far")}\n`, "team"),
      /warning IST0101: VirtualService team\/theirs is not exported to namespace default/,
    ],
    [
      "what nobody leads to",
      root(`    - ${to("api")}\n`) + virtualService("own", `  http:\n    - ${to("api")}\n`),
      /info W2117: VirtualService default\/own has no hosts, and no other delegates to it/,
    ],
    [
      "delegating on",
      root("    - delegate: { name: own }\n") +
        virtualService("own", "  http:\n    - delegate: { name: next }\n"),
      /error W1106: spec\.http\[0\]\.delegate cannot be set where spec\.hosts is not/,
    ],
    [
      "callers and gateways in what is delegated to",
      virtualService(
        "own",
        `  http:\n    - match: [{ sourceLabels: { a: b }, gateways: [mesh] }]\n      ${to("api")}\n`,
      ),
      /W1106: spec\.http\[0\]\.match\[0\]\.gateways cannot be set.*W1106: spec\.http\[0\]\.match\[0\]\.sourceLabels/s,
    ],
    [
      "more matches than a host may have, together with the delegate's",
      root(
        `    - match: [${"{ uri: { prefix: /a } }, ".repeat(65)}]\n      delegate: { name: own }\n    - ${to("api")}\n`,
      ) +
        virtualService(
          "own",
          `  http:\n    - match: [${"{ method: { exact: GET } }, ".repeat(64)}]\n      ${to("api")}\n`,
        ),
      /error W2119: spec\.http\[0\] applies to nothing: with its delegate's there would be more than 4096 matches/,
    ],
    [
      "a delegate and a route at once",
      root(`    - delegate: { name: own }\n      ${to("api")}\n`),
      /error W1106: spec\.http\[0\] sets route and delegate at once/,
    ],
  ];
  for (const [name, yaml, finding] of wrong) {
    it(`is said to be wrong: ${name}`, () => {
      assert.match(rulesOf(yaml).findings.join("\n"), finding);
    });
  }
});
