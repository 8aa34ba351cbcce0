import { type FieldSupport, oneOf, rows } from "./field-support.ts";

const endpointSlice = rows("EndpointSlice");
const endpoints = rows("Endpoints");

const onlyTcp = "only TCP is carried by the mesh: this port is left out";
const asService = "the Service says what its ports speak";
const nowhere = "a place has a region too: write it as the locality of a WorkloadEntry";
const outside = "it has no meaning outside Kubernetes";

function addressRows(base: string): FieldSupport[] {
  return [
    ...endpoints.yes(`${base}.ip`, `${base}.hostname`),
    ...endpoints.idle([`${base}.nodeName`, nowhere], [`${base}.targetRef`, outside]),
  ];
}

/** Rows of what Kubernetes writes down of where a Service is served. */
export const endpointSupport: readonly FieldSupport[] = [
  ...endpointSlice.yes(
    "spec.endpoints[].addresses",
    "spec.endpoints[].conditions",
    "spec.endpoints[].hostname",
    "spec.ports[].name",
    "spec.ports[].port",
  ),
  ...endpointSlice.refused([
    "spec.addressType",
    "a name is for a ServiceEntry with resolution: DNS",
    oneOf("IPv4", "IPv6"),
  ]),
  ...endpointSlice.idle(
    ["spec.ports[].protocol", onlyTcp, oneOf("TCP")],
    ["spec.ports[].appProtocol", asService],
    ...["hints", "nodeName", "zone"].map((field) => [`spec.endpoints[].${field}`, nowhere] as const),
    ...["targetRef", "deprecatedTopology"].map((field) => [`spec.endpoints[].${field}`, outside] as const),
  ),
  ...addressRows("spec.subsets[].addresses[]"),
  ...addressRows("spec.subsets[].notReadyAddresses[]"),
  ...endpoints.yes("spec.subsets[].ports[].name", "spec.subsets[].ports[].port"),
  ...endpoints.idle(
    ["spec.subsets[].ports[].protocol", onlyTcp, oneOf("TCP")],
    ["spec.subsets[].ports[].appProtocol", asService],
  ),
];
