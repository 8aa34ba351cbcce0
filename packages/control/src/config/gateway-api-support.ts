import { type FieldSupport, oneOf, rows } from "./field-support.ts";

const httpRoute = rows("HTTPRoute");

const noExtensions = "there are none; requests would miss what it does";

const grpcRoute = rows("GRPCRoute");
const tlsRoute = rows("TLSRoute");
const tcpRoute = rows("TCPRoute");
const backendTlsPolicy = rows("BackendTLSPolicy");
const referenceGrant = rows("ReferenceGrant");
const gatewayClass = rows("GatewayClass");
const kubernetesGateway = rows("KubernetesGateway");
const listenerSet = rows("ListenerSet");

function backendRows(kind: ReturnType<typeof rows>): FieldSupport[] {
  return [
    ...kind.yes(
      "spec.parentRefs[]",
      "spec.rules[].name",
      "spec.rules[].backendRefs[].group",
      "spec.rules[].backendRefs[].kind",
      "spec.rules[].backendRefs[].name",
      "spec.rules[].backendRefs[].namespace",
      "spec.rules[].backendRefs[].port",
      "spec.rules[].backendRefs[].weight",
    ),
    ...kind.refused(["spec.useDefaultGateways", "name the gateways among parentRefs", oneOf("None")]),
  ];
}

/** Of routes of requests. */
function filterRows(kind: ReturnType<typeof rows>): FieldSupport[] {
  return [
    ...kind.yes(
      "spec.rules[].matches[]",
      "spec.rules[].filters[].type",
      "spec.rules[].filters[].requestHeaderModifier",
      "spec.rules[].filters[].responseHeaderModifier",
      "spec.rules[].filters[].requestMirror",
      "spec.rules[].backendRefs[].filters[].type",
      "spec.rules[].backendRefs[].filters[].requestHeaderModifier",
      "spec.rules[].backendRefs[].filters[].responseHeaderModifier",
      "spec.rules[].backendRefs[].filters[].requestMirror",
    ),
    ...kind.yes("spec.hostnames", "spec.rules[].sessionPersistence"),
    ...kind.refused(
      ["spec.rules[].filters[].extensionRef", noExtensions],
      ["spec.rules[].backendRefs[].filters[].extensionRef", noExtensions],
    ),
  ];
}

/** Of the listeners of a Gateway or a ListenerSet. */
function listenerRows(kind: ReturnType<typeof rows>): FieldSupport[] {
  return [
    ...kind.yes(
      "spec.listeners[].name",
      "spec.listeners[].hostname",
      "spec.listeners[].port",
      "spec.listeners[].tls.mode",
      "spec.listeners[].tls.certificateRefs",
      "spec.listeners[].allowedRoutes.kinds",
      "spec.listeners[].allowedRoutes.namespaces",
    ),
    ...kind.refused(
      ["spec.listeners[].protocol", "UDP is not carried", oneOf("HTTP", "HTTPS", "TLS", "TCP")],
      ["spec.listeners[].tls.options", "TLS would not be as restricted as written"],
      ["spec.listeners[].filters", "requests would not be checked"],
    ),
  ];
}

/** What Weft does with the fields of the Gateway API's kinds. */
export const gatewayApiSupport: readonly FieldSupport[] = [
  ...backendRows(httpRoute),
  ...filterRows(httpRoute),
  ...httpRoute.yes(
    "spec.rules[].filters[].requestRedirect",
    "spec.rules[].filters[].urlRewrite",
    "spec.rules[].filters[].cors",
    "spec.rules[].filters[].externalAuth",
    "spec.rules[].backendRefs[].filters[].externalAuth",
    "spec.rules[].backendRefs[].filters[].requestRedirect",
    "spec.rules[].backendRefs[].filters[].urlRewrite",
    "spec.rules[].backendRefs[].filters[].cors",
    "spec.rules[].timeouts",
    "spec.rules[].retry",
  ),

  ...backendRows(grpcRoute),
  ...filterRows(grpcRoute),

  ...backendRows(tlsRoute),
  ...tlsRoute.yes("spec.hostnames"),

  ...backendRows(tcpRoute),

  ...backendTlsPolicy.yes(
    "spec.targetRefs",
    "spec.validation.hostname",
    "spec.validation.caCertificateRefs",
    "spec.validation.subjectAltNames",
  ),
  ...backendTlsPolicy.refused(
    [
      "spec.validation.wellKnownCACertificates",
      "there are no other authorities than the system's",
      oneOf("System"),
    ],
    ["spec.options", "TLS would not be as restricted as written"],
  ),

  ...referenceGrant.yes("spec.from", "spec.to"),

  ...gatewayClass.yes("spec.controllerName"),
  ...gatewayClass.idle(["spec.description", "it is for people"]),
  ...gatewayClass.skipped(["spec.parametersRef", "gateways have no parameters beside their flags"]),

  ...listenerRows(kubernetesGateway),
  ...kubernetesGateway.yes(
    "spec.gatewayClassName",
    "spec.addresses[].type",
    "spec.addresses[].value",
    "spec.allowedListeners",
    "spec.tls",
  ),
  ...kubernetesGateway.refused([
    "spec.defaultScope",
    "routes without a parent are attached to nothing",
    oneOf("None"),
  ]),
  ...kubernetesGateway.skipped(
    ["spec.addresses[].routability", "a gateway is reached at the address it has", oneOf("")],
    [
      "spec.infrastructure.parametersRef",
      "there are no parameters: with one that is no ConfigMap the Gateway is not accepted",
    ],
  ),
  ...kubernetesGateway.idle(
    ["spec.infrastructure.labels", "nothing is made for a Gateway: 'weft run --gateway' says what runs"],
    ["spec.infrastructure.annotations", "nothing is made for a Gateway: 'weft run --gateway' says what runs"],
  ),

  ...listenerRows(listenerSet),
  ...listenerSet.yes("spec.parentRef"),
];
