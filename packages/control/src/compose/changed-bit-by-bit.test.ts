import assert from "node:assert/strict";
import { test } from "node:test";
import { formatDiagnostic } from "@weft/base/diagnostics";
import { parseTrustDomain } from "@weft/identity/spiffe-id";
import { FakeClock } from "@weft/testkit/fake-clock";
import fc from "@weft/testkit/properties";
import { buildMesh } from "../model/build-mesh.ts";
import { hostnamesNeedingAddress } from "../model/build-services.ts";
import { type Lease, WorkloadRegistry } from "../registry/workload-registry.ts";
import { SnapshotBuilder } from "../snapshot/snapshot-builder.ts";
import { learningSidecarFeatures, noFeatures } from "../translate/client-features.ts";
import { workload } from "../translate/mesh-fixture.ts";
import { ConfigSet, readEntries } from "./config-set.ts";
import { MeshPipeline } from "./mesh-pipeline.ts";
import { VirtualAddresses } from "./virtual-addresses.ts";

const settings = { trustDomain: parseTrustDomain("cluster.local") };
const istio = "networking.istio.io/v1";
const gatewayApi = "gateway.networking.k8s.io/v1";

/** Documents by `kind namespace/name`; each may be written in several ways. */
const documents: Readonly<Record<string, readonly string[]>> = {
  [`${istio} VirtualService default/api`]: [
    "spec: { hosts: [api], http: [{ route: [{ destination: { host: api } }] }] }",
    "spec: { hosts: [api], http: [{ timeout: 2s, route: [{ destination: { host: api, subset: v1 } }] }] }",
    "spec: { hosts: [api], http: [{ match: [{ sourceLabels: { app: web } }], route: [{ destination: { host: web } }] }, { route: [{ destination: { host: apo } }] }] }",
    "spec: { hosts: [api, '*.shop.example'], exportTo: ['.'], http: [{ route: [{ destination: { host: api } }], mirror: { host: web } }] }",
  ],
  [`${istio} VirtualService default/rival`]: [
    "spec: { hosts: [api], http: [{ route: [{ destination: { host: web } }] }] }",
    "spec: { hosts: [web, far.example], http: [{ delegate: { name: part } }, { route: [{ destination: { host: web, port: { number: 1 } } }] }] }",
  ],
  [`${istio} VirtualService default/part`]: [
    "spec: { http: [{ match: [{ uri: { prefix: /part } }], route: [{ destination: { host: api } }] }] }",
    "spec: { http: [{ timeout: 1s, route: [{ destination: { host: api, subset: v2 } }] }], exportTo: [shop] }",
  ],
  [`${istio} VirtualService shop/api`]: [
    "spec: { hosts: [api.default.svc.cluster.local], http: [{ route: [{ destination: { host: cart } }] }] }",
    "spec: { hosts: [cart], gateways: [edge, mesh], http: [{ route: [{ destination: { host: cart, subset: v1 } }] }] }",
    "spec: { hosts: [db.example], tcp: [{ route: [{ destination: { host: db.example, port: { number: 5432 } } }] }] }",
  ],
  [`${istio} DestinationRule default/api`]: [
    "spec: { host: api, subsets: [{ name: v1, labels: { version: v1 } }] }",
    "spec: { host: api, subsets: [{ name: v1, labels: { version: v1 } }, { name: v2, labels: { version: v2 } }], trafficPolicy: { loadBalancer: { simple: RANDOM } } }",
    "spec: { host: api, exportTo: ['.'], subsets: [{ name: v2, labels: { version: v2 } }] }",
  ],
  [`${istio} DestinationRule shop/cart`]: [
    "spec: { host: cart, subsets: [{ name: v1, labels: { version: v1 } }] }",
    "spec: { host: nowhere, subsets: [{ name: v1, labels: { version: v1 } }] }",
  ],
  [`${istio} ServiceEntry shop/db`]: [
    "spec: { hosts: [db.example], resolution: STATIC, ports: [{ number: 5432, name: tcp, protocol: TCP }], endpoints: [{ address: 192.0.2.1 }] }",
    "spec: { hosts: [db.example, far.example], exportTo: ['.'], resolution: DNS, ports: [{ number: 9080, name: http, protocol: HTTP }] }",
  ],
  [`${istio} Gateway shop/edge`]: [
    "spec: { selector: { app: edge }, servers: [{ port: { number: 80, name: http, protocol: HTTP }, hosts: ['*'] }] }",
    "spec: { selector: { app: edge }, servers: [{ port: { number: 80, name: http, protocol: HTTP }, hosts: [other.example] }] }",
  ],
  [`${istio} Sidecar shop/default`]: [
    "spec: { egress: [{ hosts: ['./*', 'default/api.default.svc.cluster.local'] }] }",
    "spec: { egress: [{ hosts: ['./*', 'default/apy.default.svc.cluster.local'] }] }",
  ],
  "v1 Service default/api": [
    "spec: { selector: { app: api }, ports: [{ name: http, port: 9080 }] }",
    "spec: { selector: { app: api }, ports: [{ name: http, port: 9080 }, { name: more, port: 7070 }] }",
    "spec: { clusterIP: None, selector: { app: api }, ports: [{ name: http, port: 9080 }] }",
    "spec: { publishNotReadyAddresses: true, selector: {}, ports: [{ name: http, port: 9080 }] }",
  ],
  "v1 Endpoints default/api": [
    "subsets: [{ addresses: [{ ip: 192.0.2.7 }, { ip: 10.0.0.2 }], ports: [{ name: http, port: 80 }] }]",
    "subsets: [{ notReadyAddresses: [{ ip: 192.0.2.7 }], ports: [{ name: other, port: 80 }] }]",
  ],
  "security.istio.io/v1 AuthorizationPolicy default/api": [
    "spec: { selector: { matchLabels: { app: api } }, rules: [{ to: [{ operation: { methods: [GET] } }] }] }",
    "spec: { selector: { matchLabels: { app: gone } }, action: DENY, rules: [{}] }",
    "spec: {}",
  ],
  "security.istio.io/v1 PeerAuthentication default/default": [
    "spec: { mtls: { mode: PERMISSIVE } }",
    "spec: { mtls: { mode: DISABLE } }",
  ],
  [`${gatewayApi} HTTPRoute default/api`]: [
    "spec: { parentRefs: [{ group: '', kind: Service, name: api, port: 9080 }], rules: [{ backendRefs: [{ name: web, port: 9080 }] }] }",
    "spec: { parentRefs: [{ group: '', kind: Service, name: api }], rules: [{ backendRefs: [{ name: missing, port: 9080 }] }] }",
  ],
  [`${gatewayApi} TCPRoute shop/api`]: [
    "spec: { parentRefs: [{ group: '', kind: Service, name: cart }], rules: [{ backendRefs: [{ name: cart, port: 9080 }] }] }",
  ],
};

function textOf(head: string, body: string): string {
  const [apiVersion, kind, place] = head.split(" ");
  const [namespace, name] = place!.split("/");
  return `apiVersion: ${apiVersion}\nkind: ${kind}\nmetadata: { name: ${name}, namespace: ${namespace} }\n${body}\n`;
}

type Step =
  | { readonly what: "write"; readonly document: string; readonly as: number }
  | { readonly what: "look"; readonly document: string; readonly as: number }
  | { readonly what: "remove"; readonly document: string }
  | { readonly what: "join"; readonly workload: number }
  | { readonly what: "leave"; readonly workload: number };

const document = fc.constantFrom(...Object.keys(documents));
const written = fc.record({ what: fc.constantFrom("write", "look"), document, as: fc.nat(3) });
const removed = fc.record({ what: fc.constant("remove"), document });
const moved = fc.record({ what: fc.constantFrom("join", "leave"), workload: fc.nat(5) });
const step = fc.oneof(
  { weight: 6, arbitrary: written },
  { weight: 1, arbitrary: removed },
  { weight: 1, arbitrary: moved },
) as fc.Arbitrary<Step>;

const members = [
  workload({ service: "web" }, 1),
  workload({ service: "api", version: "v1" }, 2),
  workload({ service: "api", version: "v2" }, 3),
  workload({ service: "cart", namespace: "shop" }, 4),
  {
    ...workload({ service: "", namespace: "shop" }, 5),
    id: "edge.shop",
    labels: { app: "edge" },
    isGateway: true,
    interception: "NONE" as const,
  },
  workload({ service: "web", namespace: "shop" }, 6),
];

class Mesh {
  readonly texts = new Map<string, string>();
  readonly registry = new WorkloadRegistry({ clock: new FakeClock() });
  readonly config = new ConfigSet();
  readonly addresses = new VirtualAddresses({ load: () => new Map(), add() {} });
  readonly builder = new SnapshotBuilder();
  readonly pipeline = new MeshPipeline({
    config: this.config,
    registry: this.registry,
    addresses: this.addresses,
    keys: { current: new Map() },
    settings,
  });
  readonly #leases = new Map<number, Lease>();

  take(step: Step): void {
    if (step.what === "join") {
      const member = members[step.workload]!;
      const lease = this.registry.register(member);
      lease.setHealth(true);
      this.#leases.set(step.workload, lease);
    } else if (step.what === "leave") {
      this.#leases.get(step.workload)?.setHealth(false);
    } else if (step.what === "remove") {
      const key = entriesOf(step.document, documents[step.document]![0]!)[0]!.key;
      this.config.remove(key);
      this.texts.delete(step.document);
    } else {
      const bodies = documents[step.document]!;
      const body = bodies[step.as % bodies.length]!;
      const entries = entriesOf(step.document, body);
      this.pipeline.check(this.config.resourcesAfter({ entries, removed: [] }));
      if (step.what === "look") return;
      this.config.put(entries);
      this.texts.set(step.document, body);
    }
    this.pipeline.rebuild();
  }

  /** All texts read again and in another order, by a control plane that knew nothing before. */
  fromNothing(shuffled: readonly string[]) {
    const entries = shuffled.flatMap((head) => entriesOf(head, this.texts.get(head)!));
    const resources = entries.map(({ resource }) => resource);
    const workloads = [...this.registry.workloads.values()].reverse();
    const vips = this.addresses.assign(hostnamesNeedingAddress(resources, workloads, settings));
    return buildMesh({ resources, workloads, vips, options: { ...settings } });
  }
}

function entriesOf(head: string, body: string) {
  return readEntries([{ name: `${head}.yaml`, text: textOf(head, body) }], "store").entries;
}

const said = (diagnostics: Parameters<typeof formatDiagnostic>[0][]) => diagnostics.map(formatDiagnostic);

function givenTo(builder: SnapshotBuilder, mesh: ReturnType<typeof buildMesh>["mesh"]): string[] {
  return [...mesh.workloads.keys()].flatMap((id) =>
    [noFeatures, learningSidecarFeatures].flatMap((features) =>
      [...builder.build(mesh, { id, features }).byType].flatMap(([type, resources]) =>
        [...resources.values()].map(({ name, version }) => `${id} ${type} ${name} ${version}`),
      ),
    ),
  );
}

test("after any changes the mesh, what is said of it and what proxies are given are as if all had been read at once, in any order", () => {
  fc.assert(
    fc.property(
      fc.array(step, { minLength: 8, maxLength: 24 }),
      fc.infiniteStream(fc.nat()),
      (sequence, random) => {
        const mesh = new Mesh();
        for (const step of sequence) {
          mesh.take(step);
          const { pipeline, builder, texts } = mesh;
          const order = [...texts.keys()].map((head) => ({ head, at: random.next().value! }));
          const shuffled = order.sort((a, b) => a.at - b.at).map(({ head }) => head);
          const fresh = mesh.fromNothing(shuffled);
          assert.deepEqual(pipeline.current.mesh, fresh.mesh);
          const { diagnostics } = mesh.config;
          const own = pipeline.current.diagnostics.slice(diagnostics.length);
          assert.deepEqual(said([...own]), said([...fresh.diagnostics]));
          assert.deepEqual(
            givenTo(builder, pipeline.current.mesh),
            givenTo(new SnapshotBuilder(), fresh.mesh),
          );
        }
      },
    ),
    { numRuns: Number(process.env.WEFT_RUNS ?? 10) },
  );
});
