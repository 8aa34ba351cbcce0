/** One workload under policies behind each data plane, from YAML as an operator writes it. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { envoyBootstrap } from "@weft/control/translate/envoy-bootstrap";
import { fixture, type Scenario } from "@weft/control/translate/mesh-fixture";
import { translateSidecar } from "@weft/control/translate/translate-sidecar";
import { type Contender, startEnvoy, startWeft } from "@weft/proxy/test-contenders";
import { freePort } from "@weft/testkit/free-port";
import type { TestCa } from "@weft/testkit/test-ca";
import { GuardedApplication } from "./guarded-application.ts";

export interface SceneOptions {
  /** HTTP_PORT and TCP_PORT stand for the application's ports. */
  readonly yaml: string;
  readonly authority: TestCa;
  /** Authorities of other trust domains, each believed for its own. */
  readonly federated?: readonly TestCa[];
  /** For access logs. */
  readonly directory: string;
  readonly keySets?: Scenario["keySets"];
  readonly defaults?: Scenario["defaults"];
  /** Of the access log; its lines end by themselves. */
  readonly logFormat?: string;
}

/** A data plane in front of an application: HTTP on one port, bytes on another. */
export interface GuardedSidecar {
  readonly name: Contender["name"];
  readonly http: GuardedApplication;
  readonly tcp: GuardedApplication;
  /** Where callers connect. */
  readonly httpPort: number;
  readonly tcpPort: number;
  admin: Contender["admin"];
  /** What its access log holds. */
  log(): string;
  close(): Promise<void>;
}

const dataPlanes = [
  ["Envoy", startEnvoy],
  ["Weft", startWeft],
] as const;

/** The workload `api.default`, captured nowhere, before each of the data planes. */
export function startGuarded(options: SceneOptions): Promise<readonly GuardedSidecar[]> {
  return Promise.all(dataPlanes.map(([name, start]) => startOne(name, start, options)));
}

async function startOne(
  name: Contender["name"],
  start: (bootstrap: string) => Promise<Contender>,
  options: SceneOptions,
): Promise<GuardedSidecar> {
  const [http, tcp] = [await GuardedApplication.start(), await GuardedApplication.start()];
  const [httpPort, tcpPort] = [await freePort(), await freePort()];
  const path = join(options.directory, `${name}.log`);
  const format =
    options.logFormat ?? "%RESPONSE_CODE% %RESPONSE_CODE_DETAILS% %CONNECTION_TERMINATION_DETAILS%\n";
  const { mesh, findings } = fixture(
    {
      workloads: [
        {
          service: "api",
          interception: "NONE",
          addresses: ["127.0.0.1"],
          ports: [
            { port: http.port, listenPort: httpPort },
            { port: tcp.port, listenPort: tcpPort, protocol: "tcp" },
          ],
        },
      ],
      keySets: options.keySets,
      defaults: { accessLog: { path, format }, ...options.defaults },
    },
    options.yaml.replaceAll("HTTP_PORT", `"${http.port}"`).replaceAll("TCP_PORT", `"${tcp.port}"`),
  );
  const errors = findings.filter((line) => line.includes(" error "));
  if (errors.length > 0) throw new Error(errors.join("\n"));
  const resources = translateSidecar(mesh, mesh.workloads.get("api-v1.default")!);
  const contender = await start(withSecrets(envoyBootstrap(resources), name, options));
  return {
    name,
    http,
    tcp,
    httpPort,
    tcpPort,
    admin: contender.admin,
    log: () => readFileSync(path, "utf8"),
    async close() {
      await contender.close();
      http.close();
      tcp.close();
    },
  };
}

/** The workload's certificate and roots in the bootstrap itself, where the agent would serve them. */
function withSecrets(
  bootstrap: unknown,
  name: Contender["name"],
  { authority, federated = [] }: SceneOptions,
): string {
  const own = authority.leaf("default", "api");
  const inline = (text: string) => ({ inline_string: text });
  const secrets = [
    {
      name: "default",
      tls_certificate: { certificate_chain: inline(own.chainPem), private_key: inline(own.keyPem) },
    },
    {
      name: "ROOTCA",
      validation_context:
        federated.length > 0 || name === "Envoy"
          ? spiffeValidator([authority, ...federated])
          : { trusted_ca: inline(authority.bundlePem) },
    },
  ];
  const { static_resources: resources, ...rest } = bootstrap as { static_resources: object };
  const admin = { address: { socket_address: { address: "127.0.0.1", port_value: 0 } } };
  const all = { ...rest, admin, static_resources: { ...resources, secrets } };
  return JSON.stringify(all, (key, value: unknown) => (key === "sds_config" ? undefined : value));
}

function spiffeValidator(authorities: readonly TestCa[]): object {
  return {
    custom_validator_config: {
      name: "envoy.tls.cert_validator.spiffe",
      typed_config: {
        "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.SPIFFECertValidatorConfig",
        trust_domains: authorities.map(({ trustDomain, bundlePem }) => ({
          name: trustDomain,
          trust_bundle: { inline_string: bundlePem },
        })),
      },
    },
  };
}
