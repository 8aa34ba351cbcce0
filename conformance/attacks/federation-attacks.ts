/** What somebody of a federated trust domain, or in its name, tries at a workload and at the control plane. */
import { createServer, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import { formatSpiffeBundle } from "@weft/identity/spiffe-bundle";
import { TestCa, type TestLeafOptions, type TestSvid } from "@weft/testkit/test-ca";
import { untilFound } from "../../packages/testkit/src/until.ts";
import { request } from "../policies/raw-client.ts";
import type { Attack } from "./attack.ts";
import type { ControlPlaneScene } from "./control-plane-scene.ts";
import { authority, onHttp, onTcp } from "./guarded-scene.ts";

export const west = new TestCa({ trustDomain: "west.example" });
/** May call. */
export const friend = west.leaf("default", "web");
const far = new TestCa({ trustDomain: "far.example" });
const impostor = new TestCa({ trustDomain: "west.example" });

export const federatedYaml = `
apiVersion: spire.spiffe.io/v1alpha1
kind: ClusterFederatedTrustDomain
metadata: { name: west }
spec:
  trustDomain: west.example
  bundleEndpointURL: https://west.example/
  bundleEndpointProfile: { type: https_web }
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: { name: callers }
spec:
  rules:
    - from:
        - source: { principals: [west.example/ns/default/sa/web] }
        - source: { principals: [cluster.local/ns/default/sa/productpage] }
        - source: { namespaces: [ops] }
        - source: { serviceAccounts: [default/job] }
`;

const as = (uri: string, options: TestLeafOptions = {}) => west.leaf("a", "b", { ...options, uris: [uri] });
const ours = "spiffe://cluster.local/ns/default/sa/productpage";
const named: readonly [what: string, svid: TestSvid][] = [
  ["its root signs an identity of ours", as(ours)],
  [
    "our root signs an identity of theirs",
    authority.leaf("a", "b", { uris: ["spiffe://west.example/ns/default/sa/web"] }),
  ],
  ["its root signs one of a third domain", as("spiffe://far.example/ns/default/sa/web")],
  ["an identity of a domain that is not federated", far.leaf("default", "web")],
  ["another root of its name", impostor.leaf("default", "web")],
  ["an identity that no policy allows", west.leaf("default", "other")],
  ["the name of a namespace that is allowed", west.leaf("ops", "web")],
  ["the name of a service account that is allowed", west.leaf("default", "job")],
  ["its name with ours behind it", as("spiffe://west.example.cluster.local/ns/default/sa/web")],
  ["our name before an @", as("spiffe://cluster.local@west.example/ns/default/sa/productpage")],
  ["of an authority", as("spiffe://west.example/ns/default/sa/web", { isCa: true })],
  ["without a name", west.leaf("a", "b", { uris: [] })],
];

export const foreignAttacks = [
  ...named.map(([what, svid]) => onHttp("federation", what, request("GET /"), { tls: { svid } })),
  ...named.map(([what, svid]) => onTcp("federation, TCP", what, { tls: { svid } })),
];

/** A bundle endpoint in the hands of somebody else, or an honest one of long ago. */
async function startEndpoint(svid: TestSvid, document: string, redirect?: string): Promise<Server> {
  const server = createServer({ key: svid.keyPem, cert: svid.chainPem }, (_, response) => {
    if (redirect) response.writeHead(302, { location: redirect }).end();
    else response.end(document);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return server;
}

const documentOf = (sequence: bigint, ...roots: readonly TestCa[]) =>
  formatSpiffeBundle({
    trustDomain: west.trustDomain,
    roots: roots.map(({ root }) => root),
    jwtKeys: [],
    sequence,
    refreshHintS: 1,
  });
const itself = west.leaf("weft-system", "weft-control-plane");
const evil = documentOf(9n, west, impostor);
const endpoints: readonly [what: string, svid: TestSvid, document: string, redirect?: string][] = [
  ["an old bundle, with a root that is distrusted", itself, documentOf(4n, west, impostor)],
  ["other roots under the same number", itself, documentOf(5n, west, impostor)],
  ["an endpoint with another identity of the domain", west.leaf("default", "web"), evil],
  ["an endpoint by another root of its name", impostor.leaf("weft-system", "weft-control-plane"), evil],
  ["an endpoint of ours", authority.leaf("weft-system", "weft-control-plane"), evil],
  ["a bundle with a root of our name", itself, documentOf(9n, west, authority)],
  ["a redirect into the network", itself, evil, "https://127.0.0.2/"],
  ["a redirect to no TLS", itself, evil, "http://127.0.0.1/"],
];

/** What is counted: roots that come to be believed beside the one an operator gave. */
export const bundleAttacks: readonly Attack<ControlPlaneScene>[] = endpoints.map(
  ([what, svid, document, redirect]) => ({
    area: "bundle",
    what,
    async attempt(plane) {
      const endpoint = await startEndpoint(svid, document, redirect);
      const url = `https://127.0.0.1:${(endpoint.address() as AddressInfo).port}/`;
      try {
        const text = JSON.stringify({
          apiVersion: "spire.spiffe.io/v1alpha1",
          kind: "ClusterFederatedTrustDomain",
          metadata: { name: "west" },
          spec: {
            trustDomain: "west.example",
            bundleEndpointURL: url,
            bundleEndpointProfile: {
              type: "https_spiffe",
              endpointSPIFFEID: "spiffe://west.example/ns/weft-system/sa/weft-control-plane",
            },
            trustDomainBundle: documentOf(5n, west),
          },
        });
        await plane.api.apply({ files: [{ name: "federation.yaml", text }] });
        const { problem, roots } = await untilFound("the bundle was asked for", async () => {
          const [domain] = (await plane.api.federation()).domains;
          return domain?.url === url && domain.nextAtMs !== undefined ? domain : undefined;
        });
        return { how: problem === undefined ? "taken" : "refused", bytes: roots.length - 1 };
      } finally {
        endpoint.close();
        endpoint.closeAllConnections();
      }
    },
  }),
);
