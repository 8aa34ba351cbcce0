import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { formatDiagnostic } from "@weft/base/diagnostics";
import { parseTrustDomain } from "@weft/identity/spiffe-id";
import { FakeClock } from "@weft/testkit/fake-clock";
import fc from "@weft/testkit/properties";
import { meshKinds } from "../config/kinds.ts";
import { buildMesh } from "../model/build-mesh.ts";
import { hostnamesNeedingAddress } from "../model/build-services.ts";
import type { KeySets } from "../model/key-source.ts";
import { type Lease, WorkloadRegistry } from "../registry/workload-registry.ts";
import { SnapshotBuilder } from "../snapshot/snapshot-builder.ts";
import { learningSidecarFeatures, noFeatures } from "../translate/client-features.ts";
import { ConfigSet } from "./config-set.ts";
import { documents, entriesOf, fetched, members } from "./every-kind-fixture.ts";
import { MeshPipeline } from "./mesh-pipeline.ts";
import { VirtualAddresses } from "./virtual-addresses.ts";

const settings = { trustDomain: parseTrustDomain("cluster.local") };
const heads = Object.keys(documents);

type Step =
  | { readonly what: "write"; readonly document: string; readonly way: number }
  | { readonly what: "look"; readonly document: string; readonly way: number }
  | { readonly what: "remove"; readonly document: string }
  | { readonly what: "join" | "fall ill" | "leave"; readonly workload: number }
  | { readonly what: "fetch"; readonly keys: number };

const document = fc.constantFrom(...heads);
const written = fc.record({ what: fc.constantFrom("write", "look"), document, way: fc.nat(3) });
const removed = fc.record({ what: fc.constant("remove"), document });
const moved = fc.record({
  what: fc.constantFrom("join", "join", "fall ill", "leave"),
  workload: fc.nat(members.length - 1),
});
const keysCame = fc.record({ what: fc.constant("fetch"), keys: fc.nat(fetched.length - 1) });
const step = fc.oneof(
  { weight: 8, arbitrary: written },
  { weight: 2, arbitrary: removed },
  { weight: 2, arbitrary: moved },
  { weight: 1, arbitrary: keysCame },
) as fc.Arbitrary<Step>;

class Mesh {
  /** In which way each is written. */
  readonly ways = new Map<string, number>();
  readonly clock = new FakeClock();
  readonly registry = new WorkloadRegistry({ clock: this.clock });
  readonly config = new ConfigSet();
  readonly addresses = new VirtualAddresses({ load: () => new Map(), add() {} });
  readonly builder = new SnapshotBuilder();
  readonly keys: { current: KeySets } = { current: new Map() };
  readonly pipeline = new MeshPipeline({
    config: this.config,
    registry: this.registry,
    addresses: this.addresses,
    keys: this.keys,
    settings,
  });
  readonly #leases = new Map<number, Lease>();

  write(document: string, way: number): void {
    this.config.put(entriesOf(document, way).entries);
    this.ways.set(document, way);
  }

  async take(step: Step): Promise<void> {
    if (step.what === "write" || step.what === "look") {
      const { entries } = entriesOf(step.document, step.way);
      this.pipeline.check(this.config.resourcesAfter({ entries, removed: [] }));
      if (step.what === "look") return;
      this.write(step.document, step.way);
    } else if (step.what === "remove") {
      this.config.remove(entriesOf(step.document, 0).entries[0]!.key);
      this.ways.delete(step.document);
    } else if (step.what === "fetch") {
      this.keys.current = fetched[step.keys]!;
    } else {
      await this.#move(step.what, step.workload);
      if (this.pipeline.follow()) return;
    }
    this.pipeline.rebuild();
  }

  async #move(what: "join" | "fall ill" | "leave", workload: number): Promise<void> {
    const lease = this.#leases.get(workload);
    if (what === "join") {
      const joined = lease ?? this.registry.register(members[workload]!);
      joined.setHealth(true);
      this.#leases.set(workload, joined);
    } else if (what === "fall ill") lease?.setHealth(false);
    else if (lease) {
      lease.end();
      this.#leases.delete(workload);
      await this.clock.advance(60_000);
    }
  }

  /** All texts read again and in another order, by a control plane that knew nothing before. */
  fromNothing(shuffled: readonly string[]) {
    const resources = shuffled.flatMap((head) =>
      entriesOf(head, this.ways.get(head)!).entries.map(({ resource }) => resource),
    );
    // Copies of all there is: nothing that is kept by what it was made from is found again.
    const workloads = structuredClone([...this.registry.workloads.values()].reverse());
    const keySets = structuredClone(this.keys.current);
    const vips = this.addresses.assign(hostnamesNeedingAddress(resources, workloads, { ...settings }));
    return buildMesh({ resources, workloads, vips, keySets, options: { ...settings } });
  }
}

const said = (diagnostics: Parameters<typeof formatDiagnostic>[0][]) => diagnostics.map(formatDiagnostic);

/** Every resource of every proxy, by a hash of its bytes; or why there is none. */
function givenTo(builder: SnapshotBuilder, mesh: ReturnType<typeof buildMesh>["mesh"]): string[] {
  const givenWith = (id: string, features: typeof noFeatures) =>
    [...builder.build(mesh, { id, features }).byType].flatMap(([type, resources]) =>
      [...resources.values()].map(
        ({ name, body }) => `${id} ${type} ${name} ${createHash("sha256").update(body).digest("base64url")}`,
      ),
    );
  return [...mesh.workloads.keys()].flatMap((id) =>
    [noFeatures, learningSidecarFeatures].flatMap((features) => givenWith(id, features)),
  );
}

test("the documents that change are of every kind, and each is taken as it is written", () => {
  const kinds = new Set<string>();
  for (const head of heads) {
    for (const way of documents[head]!.keys()) {
      const { entries, diagnostics } = entriesOf(head, way);
      assert.deepEqual(diagnostics.filter(({ severity }) => severity === "error").map(formatDiagnostic), []);
      for (const { resource } of entries) kinds.add(resource.kind);
    }
  }
  assert.deepEqual([...kinds].sort(), [...meshKinds].sort());
});

test("after any changes the mesh, what is said of it and what proxies are given are as if all had been read at once, in any order", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.subarray(heads),
      fc.subarray([...members.keys()]),
      // What is kept from one change to the next is kept until something is read anew beside it.
      fc.array(fc.array(step, { minLength: 1, maxLength: 12 }), { minLength: 3, maxLength: 6 }),
      fc.infiniteStream(fc.nat()),
      async (atFirst, there, sequence, random) => {
        const mesh = new Mesh();
        for (const workload of there) await mesh.take({ what: "join", workload });
        for (const head of atFirst) mesh.write(head, random.next().value!);
        mesh.pipeline.rebuild();
        for (const steps of sequence) {
          for (const step of steps) await mesh.take(step);
          const { pipeline, builder, ways } = mesh;
          const order = [...ways.keys()].map((head) => ({ head, at: random.next().value! }));
          const shuffled = order.sort((a, b) => a.at - b.at).map(({ head }) => head);
          const fresh = mesh.fromNothing(shuffled);
          assert.deepEqual(pipeline.current.mesh, fresh.mesh);
          const { diagnostics } = mesh.config;
          const own = pipeline.current.diagnostics.slice(diagnostics.length);
          assert.deepEqual(said([...own]), said([...fresh.diagnostics]));
          for (const part of ["routes", "gateways", "policyStatuses"] as const) {
            assert.deepEqual(pipeline.current[part], fresh[part]);
          }
          assert.deepEqual(
            givenTo(builder, pipeline.current.mesh),
            givenTo(new SnapshotBuilder(), fresh.mesh),
          );
        }
      },
    ),
    { numRuns: Number(process.env.WEFT_RUNS ?? 25) },
  );
});
