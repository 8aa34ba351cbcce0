import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import type { Explanation } from "../packages/cli/src/explain/explanation.ts";
import { type HelloPair, runHelloPair } from "./hello-pair.ts";
import { LocalMesh } from "./local-mesh.ts";

let mesh: LocalMesh;
let pair: HelloPair;
before(async () => {
  mesh = await LocalMesh.start();
  pair = await runHelloPair(mesh);
});
after(() => mesh.close());

const config = `apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: hello }
spec:
  hosts: [hello]
  http:
    - match: [{ uri: { prefix: /moved } }]
      redirect: { uri: /here, redirectCode: 308 }
    - match: [{ uri: { prefix: /broken } }]
      fault: { abort: { httpStatus: 500, percentage: { value: 100 } } }
      route: [{ destination: { host: hello } }]
    - match: [{ uri: { prefix: /nowhere } }]
      route: [{ destination: { host: unknown } }]
    - match: [{ headers: { canary: { exact: "yes" } }, method: { exact: GET } }]
      directResponse: { status: 203 }
    - route: [{ destination: { host: hello } }]
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: { name: hello }
spec:
  selector: { matchLabels: { app: hello } }
  action: DENY
  rules:
    - to: [{ operation: { paths: [/secret*] } }]
`;

test("weft explain says of a running mesh what calls in it come to", async () => {
  const file = join(mesh.state, "mesh.yaml");
  writeFileSync(file, config);
  assert.equal((await mesh.weft("apply", "-f", file, "--wait")).code, 0);
  await mesh.until("the policy is in force", async () => (await pair.call("/secret")) === 403);

  const cases: readonly (readonly [path: string, headers: Record<string, string>, place: RegExp])[] = [
    ["/", {}, /mesh\.yaml:16:/],
    ["/moved/x", {}, /mesh\.yaml:7:/],
    ["/broken", {}, /mesh\.yaml:9:/],
    ["/nowhere", {}, /mesh\.yaml:12:/],
    ["/", { canary: "yes" }, /mesh\.yaml:14:/],
    ["/secret/x", {}, /mesh\.yaml:16:/],
  ];
  for (const [path, headers, place] of cases) {
    const flags = Object.entries(headers).flatMap(([name, value]) => ["-H", `${name}: ${value}`]);
    const to = ["--from", "caller", "--to", `http://hello:8080${path}`];
    const { stdout, stderr } = await mesh.weft("explain", ...to, ...flags, "-o", "json");
    assert.ok(stdout, stderr);
    const { outcome }: Explanation = JSON.parse(stdout);
    assert.equal(outcome.status ?? 200, await pair.call(path, headers), `${path} ${stdout}`);
    assert.match(outcome.route?.origin ?? "", place, path);
  }
  const { stdout } = await mesh.weft("explain", "--from", "caller", "--to", "http://hello:8080/secret/x");
  assert.match(stdout, /AuthorizationPolicy default\/hello, rule 0 denies it {2}.*mesh\.yaml:25:/);
});

test("weft replay says of a running mesh which recorded calls a change would treat otherwise", async () => {
  const call = (path: string, id: number) =>
    `[2026-01-01T00:00:00.000Z] "GET ${path} HTTP/1.1" 200 - via_upstream - "-" 0 5 1 1 "-" "-" "${id}" "hello:8080" ` +
    '"127.0.0.1:8080" outbound|8080||hello.default.svc.cluster.local - 127.0.0.1:20000 127.0.0.1:5000 - default';
  const log = join(mesh.state, "caller.log");
  writeFileSync(log, ["/", "/", "/secret", "/moved"].map(call).join("\n"));
  const asked = await mesh.weft("explain", "--request-id", "2", "--log", `caller=${log}`);
  assert.match(
    asked.stdout,
    /recorded: 200 via_upstream \(not as the mesh would answer now.*caller\.log:3\n$/,
  );
  assert.equal((await mesh.weft("explain", "--from", "caller")).code, 2);
  const changed = join(mesh.state, "changed.yaml");
  writeFileSync(changed, config.slice(config.indexOf("---\n") + 4).replace("[/secret*]", '["/"]'));
  const { code, stdout, stderr } = await mesh.weft(
    ...["replay", `caller=${log}`, "--policy", changed, "--exit-code", "-o", "json"],
  );
  assert.equal(code, 1, stderr);
  const { differences, unchanged, unknown } = JSON.parse(stdout);
  const told = differences.map(({ change, caller, count }: Record<string, unknown>) => [
    change,
    caller,
    count,
  ]);
  assert.deepEqual(told, [
    ["denied", "caller", 2],
    ["allowed", "caller", 1],
  ]);
  assert.deepEqual([unchanged, unknown], [1, 0]);
  assert.match(differences[0].origin, /changed\.yaml:8:/);
});
