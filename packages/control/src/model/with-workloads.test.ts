import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { SortedMap } from "@weft/base/sorted-map";
import fc from "@weft/testkit/properties";
import type { Workload } from "../registry/workload.ts";
import { fixture, workload } from "../translate/mesh-fixture.ts";
import { buildGround, type MeshInput, routeMesh } from "./build-mesh.ts";
import { ServiceSelectors } from "./service-selectors.ts";
import { withWorkloads } from "./with-workloads.ts";
import { servedBy, type WorkloadBasis } from "./workload-basis.ts";

const yaml = `
apiVersion: v1
kind: Service
metadata: { name: all }
spec: { selector: { app: api }, ports: [{ port: 80, targetPort: 9080, name: http }, { port: 81, targetPort: 9081, name: other }] }
---
apiVersion: v1
kind: Service
metadata: { name: api }
spec: { selector: { version: v1 }, ports: [{ port: 9080, targetPort: 9080, name: http }] }
---
apiVersion: v1
kind: Service
metadata: { name: everyone }
spec: { selector: {}, ports: [{ port: 90, targetPort: 9080, name: tcp }] }
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: api }
spec: { host: api, subsets: [{ name: v1, labels: { version: v1 } }] }
---
apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: { name: v2 }
spec:
  workloadSelector: { labels: { version: v2 } }
  inboundConnectionPool: { http: { useClientProtocol: true } }
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: outer }
spec:
  hosts: [outer.example.com, web.default.svc.cluster.local]
  location: MESH_INTERNAL
  resolution: STATIC
  ports: [{ number: 9080, name: http, protocol: HTTP }]
  workloadSelector: { labels: { version: v2 } }
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: outer-for-others }
spec:
  hosts: [outer.example.com]
  exportTo: [other]
  location: MESH_INTERNAL
  resolution: STATIC
  ports: [{ number: 9080, name: http, protocol: HTTP }]
  workloadSelector: { labels: { version: v4 } }
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: mixed }
spec:
  hosts: [mixed.example.com]
  location: MESH_INTERNAL
  resolution: STATIC
  ports: [{ number: 9080, name: http, protocol: HTTP }]
  workloadSelector: { labels: { version: v3 } }
---
apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: { name: vm, labels: { version: v3 } }
spec: { address: 10.9.9.9 }
---
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: { name: v2 }
spec: { selector: { matchLabels: { version: v2 } }, mtls: { mode: DISABLE } }
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: { name: v1-only }
spec: { selector: { matchLabels: { version: v1 } }, action: DENY, rules: [{ to: [{ operation: { methods: [PUT] } }] }] }
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: { name: for-all }
spec: { rules: [{ to: [{ operation: { methods: [GET] } }] }] }
`;
const headless = `
apiVersion: v1
kind: Service
metadata: { name: each }
spec: { clusterIP: None, selector: { app: api }, ports: [{ port: 80, targetPort: 9080, name: http }] }
`;
const serviceAccount = "app";
const short = [
  { service: "web", serviceAccount },
  { service: "web", serviceAccount, version: "v2" },
  { service: "api", serviceAccount, version: "v1" },
  { service: "api", serviceAccount, version: "v2" },
];

interface Basis extends WorkloadBasis {
  readonly diagnostics: readonly unknown[];
}

/** Built from nothing. */
function basisOf(input: MeshInput, workloads: readonly Workload[]): Basis {
  const ground = buildGround({ ...input, workloads });
  const { mesh, diagnostics } = routeMesh(ground, input.resources);
  const { drafts, vips, resources, mtls, policies, sidecars, groups, ruleIndex } = ground;
  return {
    mesh,
    diagnostics,
    drafts,
    vips,
    resources,
    mtls,
    policies,
    sidecars,
    groups,
    ruleIndex,
    served: servedBy(drafts),
    selectors: new ServiceSelectors(resources.Service, resources.ServiceEntry, mesh.options),
    registered: registeredOf(workloads),
  };
}

function registeredOf(workloads: readonly Workload[]): SortedMap<Workload> {
  return SortedMap.from(workloads.map((w) => [w.id, w] as const));
}

function assertSame(followed: Basis, rebuilt: Basis, what: string): void {
  for (const part of ["mesh", "drafts", "served", "registered", "diagnostics"] as const) {
    assert.deepEqual(followed[part], rebuilt[part], `${part} after ${what}`);
  }
}

describe("following workloads", () => {
  const { input } = fixture({ workloads: short }, yaml);

  it("gives what building anew gives, or says that it has to be built anew", () => {
    let followed = 0;
    const change = fc.record({
      what: fc.constantFrom(
        "join",
        "leave",
        "health",
        "health",
        "version",
        "protocol",
        "port",
        "account",
        "upstream",
      ),
      which: fc.nat(3),
      service: fc.constantFrom("web", "api", "api", "", "new"),
      version: fc.constantFrom("v1", "v2", "v3", "v4", undefined),
    });
    fc.assert(
      fc.property(fc.array(fc.array(change, { minLength: 1, maxLength: 3 }), { maxLength: 6 }), (rounds) => {
        let workloads = [...input.workloads];
        let basis = basisOf(input, workloads);
        for (const round of rounds) {
          for (const made of round) workloads = changed(workloads, made);
          const rebuilt = basisOf(input, workloads);
          const next = withWorkloads(basis, rebuilt.registered);
          if (next) {
            followed += 1;
            assertSame(next, rebuilt, JSON.stringify(round));
          }
          basis = next ?? rebuilt;
        }
      }),
      { numRuns: 150 },
    );
    assert.ok(followed > 100, `only ${followed} were followed`);
  });

  for (const [what, after] of [
    [
      "joins",
      [
        ...input.workloads,
        { ...workload({ service: "api", serviceAccount, version: "v2", name: "api-v2-b" }, 9) },
      ],
    ],
    ["becomes unwell", input.workloads.map((w) => (w.service === "api" ? { ...w, isHealthy: false } : w))],
    ["gets a label", input.workloads.map((w) => ({ ...w, labels: { ...w.labels, more: "yes" } }))],
    [
      "without a service joins",
      [...input.workloads, workload({ service: "", name: "client", version: "v9" }, 9)],
    ],
  ] as const) {
    it(`shares all but what changes when a workload of a service ${what}`, () => {
      // Everyone takes any workload, so a client alone would be a member of that.
      const { input: narrow } = fixture(
        { workloads: short },
        yaml.replace(/[^-]*name: everyone[^-]*---/, ""),
      );
      const basis = basisOf(narrow, narrow.workloads);
      const next = withWorkloads(basis, registeredOf(after))!;
      assertSame(next, basisOf(narrow, after), what);
      assert.equal(next.mesh.services, basis.mesh.services);
      assert.equal(next.mesh.routing, basis.mesh.routing);
      if (what === "without a service joins") assert.equal(next.mesh.endpoints, basis.mesh.endpoints);
    });
  }

  it("keeps endpoints and workloads that come out equal", () => {
    const basis = basisOf(input, input.workloads);
    const joined = [
      ...input.workloads,
      { ...workload({ service: "api", serviceAccount, version: "v2", name: "b" }, 9), isHealthy: false },
    ];
    const next = withWorkloads(basis, registeredOf(joined))!;
    assert.deepEqual(
      SortedMap.differing(basis.mesh.endpoints, next.mesh.endpoints),
      [],
      "it is not well yet",
    );
    assert.deepEqual(SortedMap.differing(basis.mesh.workloads, next.mesh.workloads), ["b.default"]);
  });

  for (const [why, make] of [
    ["a service comes", (all) => [...all, workload({ service: "new" }, 9)]],
    ["a service goes", (all) => all.filter(({ service }) => service !== "web")],
    [
      "another identity joins",
      (all) => [...all, { ...workload({ service: "api", name: "b" }, 9), serviceAccount: "other" }],
    ],
    ["a policy is left with nobody to protect", (all) => all.filter(({ labels }) => labels.version !== "v1")],
  ] as const satisfies readonly (readonly [string, (all: readonly Workload[]) => readonly Workload[]])[]) {
    it(`is left to a new build when ${why}`, () => {
      assert.equal(
        withWorkloads(basisOf(input, input.workloads), registeredOf(make(input.workloads))),
        undefined,
      );
    });
  }

  it("is left to a new build where a service has another name, except for health", () => {
    const other = `apiVersion: v1
kind: Service
metadata: { name: other }
spec: { type: ExternalName, externalName: api.default.svc.cluster.local }
`;
    const { input } = fixture({ workloads: short }, other);
    const basis = basisOf(input, input.workloads);
    const more = workload({ service: "api", serviceAccount, version: "v3" }, 9);
    assert.equal(withWorkloads(basis, registeredOf([...input.workloads, more])), undefined);
    const ill = input.workloads.map((w) => (w.id === "api-v1.default" ? { ...w, isHealthy: false } : w));
    const followed = withWorkloads(basis, registeredOf(ill));
    assertSame(followed!, basisOf(input, ill), "an endpoint of both names fell ill");
    const called = followed!.mesh.endpoints.get("other.default.svc.cluster.local")!;
    assert.deepEqual(
      called.map(({ address }) => address),
      ["10.0.0.4"],
    );
  });

  it("is left to a new build where callers choose the endpoint", () => {
    const { input: other } = fixture({ workloads: short }, headless);
    const unwell = other.workloads.map((w) => ({ ...w, isHealthy: w.service !== "api" }));
    assert.equal(withWorkloads(basisOf(other, other.workloads), registeredOf(unwell)), undefined);
  });
});

function changed(
  workloads: readonly Workload[],
  change: {
    readonly what: string;
    readonly which: number;
    readonly service: string;
    readonly version: string | undefined;
  },
): Workload[] {
  const { what, service, version } = change;
  const name = `w${change.which}`;
  const at = workloads.findIndex((w) => w.name === name);
  const joined = workload(
    { service, serviceAccount, name, ...(version ? { version } : {}) },
    50 + change.which,
  );
  if (at < 0)
    return what === "join" ? [...workloads, { ...joined, isHealthy: false }] : [...workloads, joined];
  const old = workloads[at]!;
  const [port] = old.ports;
  const next: Record<string, Workload | undefined> = {
    join: joined,
    health: { ...old, isHealthy: !old.isHealthy },
    version: { ...old, labels: { ...old.labels, version: version ?? "v9" } },
    protocol: port && { ...old, ports: [{ ...port, protocol: "tcp" }] },
    port: port && { ...old, ports: [...old.ports, { ...port, port: 9081, listenPort: 9081, name: "more" }] },
    account: { ...old, serviceAccount: "another" },
    upstream: {
      ...old,
      upstreams: [{ host: service || "no", port: 9080, bindAddress: "127.0.0.1", bindPort: 1 }],
    },
  };
  const replaced = what === "leave" ? [] : [next[what] ?? old];
  return [...workloads.slice(0, at), ...replaced, ...workloads.slice(at + 1)];
}
