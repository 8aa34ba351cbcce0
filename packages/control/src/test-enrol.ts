import { createSecureContext } from "node:tls";
import { systemClock } from "@weft/base/clock";
import { createCsr } from "@weft/identity/csr";
import { formatPrivateKey, generateKeyPair } from "@weft/identity/key-pair";
import { parseSpiffeId } from "@weft/identity/spiffe-id";
import { IstioCertificateService } from "@weft/xds/gen/istio/v1/auth/ca_pb";
import { GrpcChannel } from "@weft/xds/grpc/grpc-channel";
import type { ApiClient } from "./api/client.ts";
import type { ControlPlane } from "./control-plane.ts";

export interface EnrolSetting {
  readonly plane: Pick<ControlPlane, "port">;
  readonly api: ApiClient;
}

export interface Identity {
  readonly key: string;
  readonly chain: string;
  readonly root: string;
}

/** Joins the mesh as an agent does: a token, a CSR, a certificate. */
export async function enrol({ plane, api }: EnrolSetting, serviceAccount: string): Promise<Identity> {
  const { token, identity } = await api.createToken({ namespace: "default", serviceAccount });
  const { rootPem } = await api.caStatus();
  const channel = new GrpcChannel({ clock: systemClock, target: targetOf(plane, rootPem) });
  try {
    const keys = await generateKeyPair();
    const { certChain } = await channel.unary(
      IstioCertificateService.method.createCertificate,
      { csr: createCsr(keys, parseSpiffeId(identity)) },
      { metadata: [["authorization", `Bearer ${token}`]] },
    );
    return { key: formatPrivateKey(keys.privateKey), chain: certChain.join(""), root: rootPem };
  } finally {
    channel.close();
  }
}

export function targetOf(plane: EnrolSetting["plane"], root: string, identity?: Identity) {
  const options = {
    ca: root,
    servername: "weft-control-plane",
    ...(identity && {
      secureContext: createSecureContext({ key: identity.key, cert: identity.chain, ca: root }),
    }),
  };
  return { address: { host: "127.0.0.1", port: plane.port }, tls: () => ({ options }) };
}
