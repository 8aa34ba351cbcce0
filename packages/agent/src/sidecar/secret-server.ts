import { createHash } from "node:crypto";
import { chmodSync, chownSync, mkdirSync } from "node:fs";
import { dirname } from "node:path";
import { create, toBinary } from "@bufbuild/protobuf";
import { anyPack } from "@bufbuild/protobuf/wkt";
import type { Clock } from "@weft/base/clock";
import type { BundleMap } from "@weft/identity/spiffe-bundle";
import { AdsServer, type AdsSession } from "@weft/xds/ads-server";
import { SecretSchema } from "@weft/xds/gen/envoy/extensions/transport_sockets/tls/v3/secret_pb";
import { SPIFFECertValidatorConfigSchema } from "@weft/xds/gen/envoy/extensions/transport_sockets/tls/v3/tls_spiffe_validator_config_pb";
import type { GrpcRoute } from "@weft/xds/grpc/grpc-route";
import { GrpcServer } from "@weft/xds/grpc/grpc-server";
import type { Snapshot, XdsResource } from "@weft/xds/snapshot";
import { typeUrl } from "@weft/xds/type-url";
import type { Svid } from "../enrolment/svid.ts";
import type { Ids } from "../launch.ts";
import { refuseLongSocketPath } from "../run-directory.ts";

export interface SecretServer {
  /** Pushes a new certificate, key and bundle to every connected sidecar. */
  rotate(svid: Svid): void;
  /** Pushes what identities of other trust domains are verified with. */
  setForeign(map: BundleMap): void;
  close(): Promise<void>;
}

export interface SecretServerOptions {
  readonly path: string;
  readonly svid: Svid;
  /** Who may connect; undefined: only this process's own user. */
  readonly owner: Ids | undefined;
  /**
   * Roots are told by trust domain although there is one alone: Envoy looks at whether a certificate
   * is an authority's only then.
   */
  readonly byDomain?: boolean;
  /** What else the sidecar may call on this socket. */
  readonly routes?: readonly GrpcRoute[];
  readonly clock: Clock;
  readonly talk: (line: string) => void;
  /** Everything that the sidecar asks for here it holds, and uses for handshakes from now on. */
  readonly onHeld?: (svid: Svid) => void;
}

/**
 * SDS on a Unix socket, under Istio's names: `default`, the certificate and
 * its key, and `ROOTCA`, whom to trust. The key leaves this process only
 * here; socket and folder are the sidecar's user's alone, so no other user can connect.
 */
export async function startSecretServer(options: SecretServerOptions): Promise<SecretServer> {
  const { path, owner, clock, talk, byDomain = false } = options;
  refuseLongSocketPath(path);
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  let { svid } = options;
  let foreign: BundleMap = { bundles: [], aliases: [] };
  let snapshot = secretSnapshot(svid, foreign, byDomain);
  let told: Svid | undefined;
  const look = () => {
    const { sessions } = ads;
    const isHeld = ({ settledSnapshot, error }: AdsSession) =>
      settledSnapshot === snapshot && error === undefined;
    if (told === svid || sessions.length === 0 || !sessions.every(isHeld)) return;
    told = svid;
    options.onHeld?.(svid);
  };
  const ads = new AdsServer({
    clock,
    admit() {}, // the socket's permissions have decided
    events: {
      onConnected: (session) => session.setSnapshot(snapshot),
      onDisconnected: look,
      onSettled: look,
      onNack: (_session, _type, error) => talk(`the sidecar refused a certificate: ${error}`),
    },
  });
  const server = new GrpcServer({
    clock,
    routes: [...ads.routes("secret"), ...(options.routes ?? [])],
    onError: (error) => talk(`agent socket: ${String(error)}`),
  });
  await server.listen({ path, mode: 0o600 });
  if (owner) {
    chownSync(path, owner.uid, owner.gid);
    chownSync(dirname(path), owner.uid, owner.gid);
  }
  chmodSync(dirname(path), 0o700);
  const push = () => {
    snapshot = secretSnapshot(svid, foreign, byDomain);
    for (const session of ads.sessions) session.setSnapshot(snapshot);
  };
  return {
    rotate(next) {
      svid = next;
      push();
    },
    setForeign(map) {
      foreign = map;
      push();
    },
    async close() {
      ads.close();
      await server.close();
    },
  };
}

function secretSnapshot(svid: Svid, foreign: BundleMap, byDomain: boolean): Snapshot {
  const secrets = [
    secret(
      "default",
      create(SecretSchema, {
        name: "default",
        type: {
          case: "tlsCertificate",
          value: { certificateChain: inline(svid.chainPem), privateKey: inline(svid.keyPem) },
        },
      }),
    ),
    secret(
      "ROOTCA",
      create(SecretSchema, {
        name: "ROOTCA",
        type: { case: "validationContext", value: validation(svid, foreign, byDomain) },
      }),
    ),
  ];
  return { byType: new Map([[typeUrl.secret, new Map(secrets.map((one) => [one.name, one]))]]) };
}

/**
 * The roots of the mesh; where other trust domains are known, each domain's own
 * for it alone, as Envoy's SPIFFE validator takes them.
 */
function validation({ bundle, bundlePem }: Svid, { bundles, aliases }: BundleMap, byDomain: boolean) {
  const domains = new Map([bundle.trustDomain, ...aliases].map((name) => [name, bundlePem]));
  for (const { trustDomain, roots } of bundles) {
    if (roots.length > 0 && trustDomain !== bundle.trustDomain)
      domains.set(trustDomain, roots.map(({ pem }) => pem).join(""));
  }
  if (domains.size === 1 && !byDomain) return { trustedCa: inline(bundlePem) };
  const config = create(SPIFFECertValidatorConfigSchema, {
    trustDomains: Array.from(domains, ([name, pem]) => ({ name, trustBundle: inline(pem) })),
  });
  const typedConfig = anyPack(SPIFFECertValidatorConfigSchema, config);
  return { customValidatorConfig: { name: "envoy.tls.cert_validator.spiffe", typedConfig } };
}

function secret(name: string, message: ReturnType<typeof create<typeof SecretSchema>>): XdsResource {
  const body = toBinary(SecretSchema, message);
  return { name, version: createHash("sha256").update(body).digest("hex").slice(0, 16), body };
}

function inline(text: string) {
  return { specifier: { case: "inlineString" as const, value: text } };
}
