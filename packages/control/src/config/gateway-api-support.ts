import { type FieldSupport, oneOf, rows } from "./field-support.ts";

const httpRoute = rows("HTTPRoute");

const byService = "which calls a route is for is said by the service that it is attached to";
const noExtensions = "there are none; requests would miss what it does";
const notKept = "requests of a session would not keep their endpoint";
const notPerBackend = "write it among the rule's filters, and the backend in a rule of its own";

/** What Weft does with the fields of the Gateway API's routes. */
export const gatewayApiSupport: readonly FieldSupport[] = [
  ...httpRoute.yes(
    "spec.parentRefs[]",
    "spec.rules[].name",
    "spec.rules[].matches[]",
    "spec.rules[].filters[].type",
    "spec.rules[].filters[].requestHeaderModifier",
    "spec.rules[].filters[].responseHeaderModifier",
    "spec.rules[].filters[].requestRedirect",
    "spec.rules[].filters[].urlRewrite",
    "spec.rules[].filters[].requestMirror",
    "spec.rules[].filters[].cors",
    "spec.rules[].backendRefs[].group",
    "spec.rules[].backendRefs[].kind",
    "spec.rules[].backendRefs[].name",
    "spec.rules[].backendRefs[].namespace",
    "spec.rules[].backendRefs[].port",
    "spec.rules[].backendRefs[].weight",
    "spec.rules[].backendRefs[].filters[].type",
    "spec.rules[].backendRefs[].filters[].requestHeaderModifier",
    "spec.rules[].backendRefs[].filters[].responseHeaderModifier",
    "spec.rules[].timeouts",
    "spec.rules[].retry",
  ),
  ...httpRoute.idle(["spec.hostnames", byService]),
  ...httpRoute.refused(
    ["spec.useDefaultGateways", "name the gateways among parentRefs", oneOf("None")],
    ["spec.rules[].sessionPersistence", notKept],
    ["spec.rules[].filters[].extensionRef", noExtensions],
    ["spec.rules[].filters[].externalAuth", "calls would not be authorised by the service"],
    ["spec.rules[].backendRefs[].filters[].requestRedirect", notPerBackend],
    ["spec.rules[].backendRefs[].filters[].urlRewrite", notPerBackend],
    ["spec.rules[].backendRefs[].filters[].requestMirror", notPerBackend],
    ["spec.rules[].backendRefs[].filters[].cors", notPerBackend],
    ["spec.rules[].backendRefs[].filters[].extensionRef", noExtensions],
    ["spec.rules[].backendRefs[].filters[].externalAuth", "calls would not be authorised by the service"],
  ),
];
