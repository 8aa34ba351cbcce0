import { randomBytes } from "node:crypto";
import { messageOf } from "@weft/base/errors";
import { GrpcError, grpcCode } from "@weft/xds/grpc/grpc-status";
import { until } from "../../packages/testkit/src/until.ts";
import type { Attack, Outcome } from "./attack.ts";
import type { Certificate, ControlPlaneScene, NodeName } from "./control-plane-scene.ts";
import { friend } from "./federation-attacks.ts";
import { badLeaves } from "./guarded-scene.ts";

type ControlPlaneAttack = Attack<ControlPlaneScene>;

const idOf = (serviceAccount: string) => `spiffe://cluster.local/ns/default/sa/${serviceAccount}`;
const codes = new Map(Object.entries(grpcCode).map(([name, code]) => [code as number, name]));

/** An attempt to get a certificate; its bytes are the certificate's. */
async function certified(attempt: Promise<Certificate>): Promise<Outcome> {
  try {
    return { how: "issued", bytes: (await attempt).chain.length };
  } catch (error) {
    return {
      how: error instanceof GrpcError ? (codes.get(error.code) ?? "refused") : messageOf(error),
      bytes: 0,
    };
  }
}

const area = "join token";
export const tokenAttacks: readonly ControlPlaneAttack[] = [
  {
    area,
    what: "used a second time",
    async attempt(plane) {
      const token = await plane.token("web");
      await plane.certify(idOf("web"), { token });
      return certified(plane.certify(idOf("web"), { token }));
    },
  },
  {
    area,
    what: "for another identity",
    attempt: async (plane) => certified(plane.certify(idOf("admin"), { token: await plane.token("web") })),
  },
  {
    area,
    what: "for the control plane itself",
    attempt: async (plane) =>
      certified(
        plane.certify("spiffe://cluster.local/ns/weft-system/sa/weft-control-plane", {
          token: await plane.token("web"),
        }),
      ),
  },
  {
    area,
    what: "for another trust domain",
    attempt: async (plane) =>
      certified(
        plane.certify("spiffe://evil.example/ns/default/sa/web", { token: await plane.token("web") }),
      ),
  },
  {
    area,
    what: "guessed, with a known id",
    async attempt(plane) {
      const [kind, id, , pin] = (await plane.token("web")).split(".");
      const guess = [kind, id, randomBytes(32).toString("base64url"), pin].join(".");
      return certified(plane.certify(idOf("web"), { token: guess }));
    },
  },
  {
    area,
    what: "guessed a hundred times",
    async attempt(plane) {
      const [kind, , , pin] = (await plane.token("web")).split(".");
      let last: Outcome = { how: "", bytes: 0 };
      for (let tries = 0; tries < 100; tries++) {
        const parts = [
          kind,
          randomBytes(9).toString("base64url"),
          randomBytes(32).toString("base64url"),
          pin,
        ];
        const outcome = await certified(plane.certify(idOf("web"), { token: parts.join(".") }));
        last = { how: outcome.how, bytes: last.bytes + outcome.bytes };
      }
      return last;
    },
  },
];

/** A gateway has the Secrets of its namespace: nobody is one by its own word. */
export function gatewayAttacks(thief: Certificate): readonly ControlPlaneAttack[] {
  return [
    {
      area: "gateway",
      what: "a workload that says it is one",
      async attempt(plane) {
        const node = {
          workload: "thief",
          namespace: "default",
          serviceAccount: "thief",
          isGateway: true,
        } as const;
        const { bytes, error } = await plane.askForConfiguration({ ...node, role: "agent" }, thief);
        return { how: error === "" ? "given" : "refused", bytes };
      },
    },
    {
      area: "gateway",
      what: "one whose leave was taken back",
      async attempt(plane) {
        const token = await plane.token("edge", true);
        const id = idOf("edge");
        const edge = await plane.certify(id, { token });
        const gateway = {
          workload: "edge",
          namespace: "default",
          serviceAccount: "edge",
          isGateway: true,
          role: "agent",
        } as const;
        const before = await plane.askForConfiguration(gateway, edge);
        if (before.error !== "") return { how: `not one before: ${before.error}`, bytes: 1 };
        await plane.api.revoke({ identity: id });
        const again = await plane.certify(id, { token: await plane.token("edge") });
        const { bytes, error } = await plane.askForConfiguration(gateway, again);
        return { how: error === "" ? "given" : "refused", bytes };
      },
    },
  ];
}

const victim: NodeName = { workload: "victim", namespace: "default", serviceAccount: "victim" };

/** What a thief of a workload's certificate tries at the control plane. */
export function leafAttacks(thief: Certificate): readonly ControlPlaneAttack[] {
  const pretend = (what: string, node: NodeName, role: "agent" | "sidecar"): ControlPlaneAttack => ({
    area: "stolen leaf",
    what,
    async attempt(plane) {
      const { bytes, error } = await plane.askForConfiguration({ ...node, role }, thief);
      return { how: error === "" ? "given" : "refused", bytes };
    },
  });
  return [
    pretend("the sidecar of another identity", victim, "sidecar"),
    pretend("the agent of another identity", victim, "agent"),
    pretend(
      "the sidecar of another namespace",
      { ...victim, namespace: "other", serviceAccount: "thief" },
      "sidecar",
    ),
    pretend("another's workload under its own account", { ...victim, serviceAccount: "thief" }, "sidecar"),
    {
      area: "stolen leaf",
      what: "a certificate of another identity",
      attempt: (plane) => certified(plane.certify(idOf("victim"), { certificate: thief })),
    },
  ];
}

/** Certificates that are none, shown to the control plane. */
export const certificateAttacks: readonly ControlPlaneAttack[] = (
  Object.keys(badLeaves) as (keyof typeof badLeaves)[]
).map((kind) => ({
  area: "xDS certificate",
  what: kind,
  async attempt(plane) {
    const { keyPem, chainPem } = badLeaves[kind];
    const node = {
      workload: "productpage",
      namespace: "default",
      serviceAccount: "productpage",
      role: "sidecar",
    } as const;
    const { bytes, error } = await plane.askForConfiguration(node, { key: keyPem, chain: chainPem });
    return { how: error === "" ? "given" : "refused", bytes };
  },
}));

/** Identities of a federated trust domain call workloads; to the control plane they are nobody. */
export const foreignCertificateAttacks: readonly ControlPlaneAttack[] = [
  {
    area: "xDS certificate",
    what: "of a federated trust domain",
    async attempt(plane) {
      const { keyPem, chainPem } = friend;
      const node = {
        workload: "victim",
        namespace: "default",
        serviceAccount: "victim",
        role: "sidecar",
      } as const;
      const { bytes, error } = await plane.askForConfiguration(node, { key: keyPem, chain: chainPem });
      return { how: error === "" ? "given" : "refused", bytes };
    },
  },
];

const addresses = ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "0x7f000001", "0"];

/** Key sets where only the control plane can look: nothing there is asked for anything. */
export const jwksAttacks: readonly ControlPlaneAttack[] = addresses.map((address) => ({
  area: "JWKS",
  what: address,
  async attempt(plane) {
    const before = plane.insideAsked;
    const url = `http://${address}:${plane.insidePort}/latest/meta-data`;
    const text = `apiVersion: security.istio.io/v1
kind: RequestAuthentication
metadata: { name: ssrf }
spec: { jwtRules: [{ issuer: me, jwksUri: "${url}" }] }
`;
    await plane.api.apply({ files: [{ name: "ssrf.yaml", text }] });
    await until("the keys are told of", async () => {
      const { diagnostics } = await plane.api.status();
      return diagnostics.some(({ message }) => message.startsWith(`keys of ${url}`));
    });
    return { how: "not asked", bytes: plane.insideAsked - before };
  },
}));
