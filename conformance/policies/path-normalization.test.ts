/** The levels of MeshConfig.pathNormalization: what a policy sees and what the application gets, before Envoy and this sidecar alike. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import type { PathNormalization } from "@weft/control/config/mesh-config/mesh-config-spec";
import { envoyOrSkip } from "@weft/proxy/test-contenders";
import { TestCa } from "@weft/testkit/test-ca";
import { startGuarded } from "./guarded-sidecar.ts";
import { exchange, request } from "./raw-client.ts";

const yaml = `
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: { name: plain }
spec: { mtls: { mode: DISABLE } }
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: { name: admin }
spec: { action: DENY, rules: [{ to: [{ operation: { paths: [/admin, "/admin/*"] } }] }] }
`;

/** Each path, and what the application gets at each level; a status where it gets nothing. */
const cases: readonly [path: string, ...got: (string | 403)[]][] = [
  ["/admin", 403, 403, 403, 403],
  ["/admin?a", 403, 403, 403, 403],
  ["/a/../admin", "/a/../admin", 403, 403, 403],
  ["/./admin/x", "/./admin/x", 403, 403, 403],
  ["/%61dmin", "/%61dmin", 403, 403, 403],
  ["//admin", "//admin", "//admin", 403, 403],
  ["/admin//x", 403, 403, 403, 403],
  ["/a/..//admin", "/a/..//admin", "//admin", 403, 403],
  ["/a%2f..%2fadmin", "/a%2f..%2fadmin", "/a%2f..%2fadmin", "/a%2f..%2fadmin", 403],
  ["/%2fadmin", "/%2fadmin", "/%2fadmin", "/%2fadmin", 403],
  ["/x%5c..%5cadmin", "/x%5c..%5cadmin", "/x%5c..%5cadmin", "/x%5c..%5cadmin", 403],
  ["/x\\..\\admin", "/x\\..\\admin", 403, 403, 403],
  ["/a//b/./c", "/a//b/./c", "/a//b/c", "/a/b/c", "/a/b/c"],
  ["/a%2Fb", "/a%2Fb", "/a%2Fb", "/a%2Fb", "/a/b"],
  ["/a%20b%7e", "/a%20b%7e", "/a%20b~", "/a%20b~", "/a%20b~"],
];
const levels: readonly PathNormalization[] = ["NONE", "BASE", "MERGE_SLASHES", "DECODE_AND_MERGE_SLASHES"];

describe("a path before any policy", { skip: envoyOrSkip }, () => {
  for (const [i, pathNormalization] of levels.entries()) {
    it(`at level ${pathNormalization}`, async () => {
      const directory = mkdtempSync(join(tmpdir(), "weft-policy-"));
      const defaults = { pathNormalization };
      const sidecars = await startGuarded({ yaml, authority: new TestCa(), directory, defaults });
      try {
        for (const { name, httpPort } of sidecars) {
          const seen = [];
          for (const [path] of cases) {
            const { text, status } = await exchange({ port: httpPort }, request(`GET ${path}`));
            seen.push([path, status === 200 ? /\r\n\r\nGET (\S+)/.exec(text)?.[1] : status]);
          }
          assert.deepEqual(
            seen,
            cases.map(([path, ...got]) => [path, got[i]]),
            name,
          );
        }
      } finally {
        for (const one of sidecars) await one.close();
        rmSync(directory, { recursive: true });
      }
    });
  }
});
