import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { anyUnpack } from "@bufbuild/protobuf/wkt";
import type { Cluster } from "@weft/xds/gen/envoy/config/cluster/v3/cluster_pb";
import type { Listener } from "@weft/xds/gen/envoy/config/listener/v3/listener_pb";
import { ListenerSchema } from "@weft/xds/gen/envoy/config/listener/v3/listener_pb";
import { CertificateValidationContext_TrustChainVerification as TrustChainVerification } from "@weft/xds/gen/envoy/extensions/transport_sockets/tls/v3/common_pb";
import {
  DownstreamTlsContextSchema,
  UpstreamTlsContextSchema,
} from "@weft/xds/gen/envoy/extensions/transport_sockets/tls/v3/tls_pb";
import { messageJson } from "../../translate/mesh-fixture.ts";
import { builtGateways, grant, shopProxy, tlsSecret, trustMap } from "./test-gateways.ts";

/** A Gateway with plain HTTP, and HTTPS on some ports. */
const gateway = (tls: string, ports = [443]) => `apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: { name: shop, namespace: front }
spec:
  gatewayClassName: weft
  tls: ${tls}
  listeners:
    - { name: http, port: 80, protocol: HTTP }
${ports.map((port) => `    - { name: s${port}, port: ${port}, protocol: HTTPS, tls: { certificateRefs: [{ name: shop }] } }\n`).join("")}`;
const ref = (name: string, more = "") => `{ group: "", kind: ConfigMap, name: ${name}${more} }`;
const validation = (refs: string, mode = "") => `{ validation: { caCertificateRefs: [${refs}]${mode} } }`;
const insecure = ", mode: AllowInsecureFallback";
const shop = tlsSecret("shop", "front");
const key = "KubernetesGateway/front/shop";

function tlsOn(port: number, listeners: readonly { readonly message: unknown }[]) {
  const listener = listeners
    .map(({ message }) => message as Listener)
    .find(({ name }) => name === `0.0.0.0_${port}`);
  const socket = listener?.filterChains[0]?.transportSocket?.configType;
  const tls =
    socket?.case === "typedConfig" ? anyUnpack(socket.value, DownstreamTlsContextSchema) : undefined;
  const type = tls?.commonTlsContext?.validationContextType;
  const combined = type?.case === "combinedValidationContext" ? type.value : undefined;
  return {
    isClosed: tls === undefined,
    isRequired: tls?.requireClientCertificate ?? false,
    trust: combined?.validationContextSdsSecretConfig?.name,
    acceptsUntrusted:
      combined?.defaultValidationContext?.trustChainVerification === TrustChainVerification.ACCEPT_UNTRUSTED,
  };
}

describe("spec.tls.frontend of a Gateway", () => {
  it("asks HTTPS clients for certificates, on each port by what is said of it or else of all", () => {
    const perPort = `perPort: [{ port: 8443, tls: ${validation(ref("partners"), insecure)} }, { port: 9443, tls: {} }]`;
    const tls = `{ frontend: { default: ${validation(ref("clients"))}, ${perPort} } }`;
    const yaml =
      gateway(tls, [443, 8443, 9443]) + shop + trustMap("clients", "front") + trustMap("partners", "front");
    const { given, conditions, listeners } = builtGateways(yaml);
    const open = { isClosed: false, isRequired: false, trust: undefined, acceptsUntrusted: false };
    assert.deepEqual(tlsOn(443, given.listener), {
      ...open,
      isRequired: true,
      trust: "configmap://front/clients-cacert",
    });
    assert.deepEqual(tlsOn(8443, given.listener), {
      ...open,
      trust: "configmap://front/partners-cacert",
      acceptsUntrusted: true,
    });
    assert.deepEqual(tlsOn(9443, given.listener), open);
    assert.deepEqual(
      given.secret.map(({ name }) => name),
      [
        "configmap://front/clients-cacert",
        "configmap://front/partners-cacert",
        "kubernetes-gateway://front/shop",
      ],
    );
    assert.deepEqual(conditions(key), [
      "Accepted true Accepted",
      "Programmed true Programmed",
      "ResolvedRefs true ResolvedRefs",
      "InsecureFrontendValidationMode true ConfigurationChanged",
    ]);
    assert.deepEqual(listeners(key).s443, [
      "Accepted true Accepted",
      "ResolvedRefs true ResolvedRefs",
      "Conflicted false NoConflicts",
      "Programmed true Programmed",
    ]);
  });

  const invalid: [name: string, refs: string, more: string, reason: string][] = [
    ["a ConfigMap that is not there", ref("gone"), "", "InvalidCACertificateRef"],
    ["another kind", `{ group: "", kind: Service, name: web }`, "", "InvalidCACertificateKind"],
    [
      "a ConfigMap of another namespace without its leave",
      ref("clients", ", namespace: back"),
      trustMap("clients", "back"),
      "RefNotPermitted",
    ],
  ];
  for (const mode of ["", insecure]) {
    for (const [name, refs, more, reason] of invalid) {
      it(`lets nobody in by ${name}${mode && ", also where none needs to verify"}, and leaves plain HTTP alone`, () => {
        const { given, listeners, conditions, said } = builtGateways(
          gateway(`{ frontend: { default: ${validation(refs, mode)} } }`) + shop + more,
        );
        assert.equal(tlsOn(443, given.listener).isClosed, true);
        assert.deepEqual(listeners(key).s443, [
          "Accepted false NoValidCACertificate",
          `ResolvedRefs false ${reason}`,
          "Conflicted false NoConflicts",
          "Programmed false Invalid",
        ]);
        assert.deepEqual(listeners(key).http![3], "Programmed true Programmed");
        assert.deepEqual(conditions(key).slice(0, 3), [
          "Accepted true ListenersNotValid",
          "Programmed true Programmed",
          "ResolvedRefs false ListenersNotResolved",
        ]);
        assert.match(said, /warning IST0101: .* \(it verifies nobody\)/);
      });
    }
  }

  it("verifies by what is there of several, and says what is not", () => {
    const refs = `${ref("gone")}, ${ref("clients", ", namespace: back")}`;
    const yaml =
      gateway(`{ frontend: { default: ${validation(refs)} } }`) +
      shop +
      trustMap("clients", "back") +
      grant("Gateway front", "ConfigMap back");
    const { given, listeners } = builtGateways(yaml);
    assert.equal(tlsOn(443, given.listener).trust, "configmap://front/gone,back/clients-cacert");
    assert.deepEqual(listeners(key).s443!.slice(0, 2), [
      "Accepted true Accepted",
      "ResolvedRefs false InvalidCACertificateRef",
    ]);
  });

  it("believes no name in a certificate that need not verify, whoever the policy is for", () => {
    const tls = (mode: string) => `{ frontend: { default: ${validation(ref("clients"), mode)} } }`;
    const policy = `---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: { name: friends, namespace: front }
spec:
  selector: { matchLabels: { gateway.networking.k8s.io/gateway-name: shop } }
  rules: [{ from: [{ source: { principals: ["*"] } }] }]
`;
    const textOf = (mode: string) => {
      const yaml = gateway(tls(mode)) + shop + trustMap("clients", "front") + policy;
      const { given } = builtGateways(yaml);
      const listener = given.listener.find(({ name }) => name === "0.0.0.0_443")!;
      return JSON.stringify(messageJson(ListenerSchema, listener.message));
    };
    assert.match(textOf(""), /authenticated/);
    assert.doesNotMatch(textOf(insecure), /authenticated/);
    assert.match(textOf(insecure), /"not_id":\{"any":true\}/);
  });
});

describe("spec.tls.backend of a Gateway", () => {
  const policy = `---
apiVersion: gateway.networking.k8s.io/v1
kind: BackendTLSPolicy
metadata: { name: web, namespace: front }
spec:
  targetRefs: [{ group: "", kind: Service, name: web }]
  validation: { hostname: web.internal, wellKnownCACertificates: System }
`;
  const backend = (more = "") => `{ backend: { clientCertificateRef: { name: me${more} } } }`;
  const shownTo = (
    host: string,
    clusters: readonly { readonly name: string; readonly message: unknown }[],
  ) => {
    const { message } = clusters.find(({ name }) => name === `outbound|9080||${host}`)!;
    const socket = (message as Cluster).transportSocket?.configType;
    const tls =
      socket?.case === "typedConfig" ? anyUnpack(socket.value, UpstreamTlsContextSchema) : undefined;
    return tls?.commonTlsContext?.tlsCertificateSdsSecretConfigs.map(({ name }) => name);
  };
  const web = "web.front.svc.cluster.local";

  it("is shown to backends that a BackendTLSPolicy is for, and to no others", () => {
    const { given, conditions } = builtGateways(
      gateway(backend()) + shop + tlsSecret("me", "front") + policy,
    );
    assert.deepEqual(shownTo(web, given.cluster), ["kubernetes-gateway://front/me"]);
    assert.ok(given.secret.some(({ name }) => name === "kubernetes-gateway://front/me"));
    assert.equal(shownTo("api.back.svc.cluster.local", given.cluster), undefined);
    assert.deepEqual(conditions(key)[2], "ResolvedRefs true ResolvedRefs");
  });

  it("is shown by no sidecar", () => {
    const yaml = gateway(backend()) + shop + tlsSecret("me", "front") + policy;
    const { mesh } = builtGateways(yaml);
    const sidecar = builtGateways(yaml, {
      workloads: [
        { service: "web", namespace: "front" },
        { service: "api", namespace: "back" },
      ],
    });
    assert.ok(mesh.workloads.get("edge.front")!.gateway!.backendCertificate);
    assert.deepEqual(shownTo(web, sidecar.given.cluster), []);
    assert.deepEqual(sidecar.given.secret, []);
  });

  const invalid: [name: string, more: string, yaml: string, reason: string][] = [
    ["there is none", "", "", "InvalidClientCertificateRef"],
    ["it is of another kind", ", kind: Service", "", "InvalidClientCertificateRef"],
    [
      "it holds no certificate",
      "",
      trustMap("me", "front").replace("ConfigMap", "Secret").replace("data:", "stringData:"),
      "InvalidClientCertificateRef",
    ],
    [
      "it is of another namespace without its leave",
      ", namespace: back",
      tlsSecret("me", "back"),
      "RefNotPermitted",
    ],
  ];
  for (const [name, more, yaml, reason] of invalid) {
    it(`shows nothing where ${name}, and says so; the Gateway is served`, () => {
      const { given, conditions } = builtGateways(gateway(backend(more)) + shop + yaml + policy);
      assert.deepEqual(shownTo(web, given.cluster), []);
      assert.deepEqual(conditions(key), [
        "Accepted true Accepted",
        "Programmed true Programmed",
        `ResolvedRefs false ${reason}`,
      ]);
    });
  }

  it("is that of the first Gateway where several have the same proxies, and the others are told so", () => {
    const named = (name: string, secret: string) =>
      `${gateway(backend().replace("name: me", `name: ${secret}`)).replace("name: shop", `name: ${name}`)}  addresses: [{ type: Hostname, value: lb.front.svc.cluster.local }]\n---\n`;
    const yaml =
      named("a", "me") +
      named("b", "other").replace("port: 80,", "port: 81,").replaceAll("443", "444") +
      policy.slice(4) +
      shop +
      tlsSecret("me", "front") +
      tlsSecret("other", "front");
    const workloads = [
      { ...shopProxy, service: "lb", ports: [{ port: 80 }] },
      { service: "web", namespace: "front" },
    ];
    const { given, said } = builtGateways(yaml, { workloads });
    assert.deepEqual(shownTo(web, given.cluster), ["kubernetes-gateway://front/me"]);
    assert.match(
      said,
      /IST0145: Gateway front\/a has the same proxies, and backends are shown its certificate/,
    );
  });

  it("may be of another namespace by its leave", () => {
    const yaml = gateway(backend(", namespace: back")) + shop + tlsSecret("me", "back") + policy;
    const { given } = builtGateways(yaml + grant("Gateway front", "Secret back"));
    assert.deepEqual(shownTo(web, given.cluster), ["kubernetes-gateway://back/me"]);
  });
});
