import { type FieldSupport, oneOf, rows } from "./field-support.ts";

const httpRoute = rows("HTTPRoute");

const byService = "which calls a route is for is said by the service that it is attached to";
const noExtensions = "there are none; requests would miss what it does";
const notKept = "requests of a session would not keep their endpoint";
const notPerBackend = "write it among the rule's filters, and the backend in a rule of its own";

const grpcRoute = rows("GRPCRoute");
const tlsRoute = rows("TLSRoute");
const tcpRoute = rows("TCPRoute");
const referenceGrant = rows("ReferenceGrant");

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
    ),
    ...kind.idle(["spec.hostnames", byService]),
    ...kind.refused(
      ["spec.rules[].sessionPersistence", notKept],
      ["spec.rules[].filters[].extensionRef", noExtensions],
      ["spec.rules[].backendRefs[].filters[].requestMirror", notPerBackend],
      ["spec.rules[].backendRefs[].filters[].extensionRef", noExtensions],
    ),
  ];
}

/** What Weft does with the fields of the Gateway API's routes. */
export const gatewayApiSupport: readonly FieldSupport[] = [
  ...backendRows(httpRoute),
  ...filterRows(httpRoute),
  ...httpRoute.yes(
    "spec.rules[].filters[].requestRedirect",
    "spec.rules[].filters[].urlRewrite",
    "spec.rules[].filters[].cors",
    "spec.rules[].timeouts",
    "spec.rules[].retry",
  ),
  ...httpRoute.refused(
    ["spec.rules[].filters[].externalAuth", "calls would not be authorised by the service"],
    ["spec.rules[].backendRefs[].filters[].requestRedirect", notPerBackend],
    ["spec.rules[].backendRefs[].filters[].urlRewrite", notPerBackend],
    ["spec.rules[].backendRefs[].filters[].cors", notPerBackend],
    ["spec.rules[].backendRefs[].filters[].externalAuth", "calls would not be authorised by the service"],
  ),

  ...backendRows(grpcRoute),
  ...filterRows(grpcRoute),

  ...backendRows(tlsRoute),
  ...tlsRoute.yes("spec.hostnames"),

  ...backendRows(tcpRoute),

  ...referenceGrant.idle(
    ["spec.from", "routes of services need none: only gateways look at it"],
    ["spec.to", "routes of services need none: only gateways look at it"],
  ),
];
