/**
 * `npm run bench:explain -- [SERVICES]`: what it costs to ask a mesh about a
 * call, by default of 1,000 services with a route and a rule each. Reading the
 * YAML and building the mesh is once; then the first question of a caller
 * decodes what its sidecar is given, and the next ones only ask.
 */

import { Explainer } from "../packages/cli/src/explain/explainer.ts";
import { parseQuestion } from "../packages/cli/src/explain/question.ts";
import { writtenReader } from "../packages/cli/src/explain/written-reader.ts";
import { writtenMesh } from "../packages/control/src/inspect/written-mesh.ts";

const services = Number(process.argv[2] ?? 1000);
const questions = 200;

function documents(i: number): string {
  return `apiVersion: v1
kind: Service
metadata: { name: service-${i} }
spec: { selector: { app: service-${i} }, ports: [{ name: http, port: 8080 }] }
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: service-${i} }
spec:
  host: service-${i}
  subsets: [{ name: v1, labels: { version: v1 } }, { name: v2, labels: { version: v2 } }]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: service-${i} }
spec:
  hosts: [service-${i}]
  http:
  - match: [{ headers: { end-user: { exact: jason } } }]
    route: [{ destination: { host: service-${i}, subset: v2 } }]
  - route: [{ destination: { host: service-${i}, subset: v1 } }]
`;
}

async function timed<T>(what: string, run: () => T | Promise<T>, count = 1): Promise<T> {
  const startMs = performance.now();
  const result = await run();
  const ms = (performance.now() - startMs) / count;
  process.stdout.write(`${what.padEnd(44)} ${ms.toFixed(ms < 10 ? 2 : 0).padStart(8)} ms\n`);
  return result;
}

const text = Array.from({ length: services }, (_, i) => documents(i)).join("---\n");
const mesh = await timed(`read and build ${services} services`, () =>
  writtenMesh([{ name: "mesh.yaml", text }], { trustDomain: "cluster.local" }),
);
const explainer = new Explainer(writtenReader(mesh));
const ask = (from: number, to: number) =>
  explainer.explain(parseQuestion(`service-${from}-v1`, `http://service-${to}:8080/x`));
await timed("first question", () => ask(0, 1));
await timed("first question of another caller", () => ask(2, 3));
await timed(
  "each further question, of other callees",
  async () => {
    for (let i = 0; i < questions; i++) await ask(0, (i * 7) % services);
  },
  questions,
);
process.stdout.write(`resident memory ${Math.round(process.memoryUsage.rss() / 1024 / 1024)} MB\n`);
