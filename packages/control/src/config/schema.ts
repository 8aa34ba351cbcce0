import type { Diagnostics } from "@weft/base/diagnostics";
import type { Origin } from "@weft/base/origin";
import { Ajv, type ErrorObject, type ValidateFunction } from "ajv";
import type { MeshKind } from "./kinds.ts";
import { joinPath, type Origins } from "./origins.ts";
import alertProvider from "./schemas/alert-provider.schema.json" with { type: "json" };
import authorizationPolicy from "./schemas/authorization-policy.schema.json" with { type: "json" };
import backendTlsPolicy from "./schemas/backend-tls-policy.schema.json" with { type: "json" };
import canary from "./schemas/canary.schema.json" with { type: "json" };
import clusterFederatedTrustDomain from "./schemas/cluster-federated-trust-domain.schema.json" with {
  type: "json",
};
import configMap from "./schemas/config-map.schema.json" with { type: "json" };
import destinationRule from "./schemas/destination-rule.schema.json" with { type: "json" };
import endpointSlice from "./schemas/endpoint-slice.schema.json" with { type: "json" };
import endpoints from "./schemas/endpoints.schema.json" with { type: "json" };
import gateway from "./schemas/gateway.schema.json" with { type: "json" };
import gatewayClass from "./schemas/gateway-class.schema.json" with { type: "json" };
import grpcRoute from "./schemas/grpc-route.schema.json" with { type: "json" };
import httpRoute from "./schemas/http-route.schema.json" with { type: "json" };
import kubernetesGateway from "./schemas/kubernetes-gateway.schema.json" with { type: "json" };
import listenerSet from "./schemas/listener-set.schema.json" with { type: "json" };
import metricTemplate from "./schemas/metric-template.schema.json" with { type: "json" };
import namespace from "./schemas/namespace.schema.json" with { type: "json" };
import peerAuthentication from "./schemas/peer-authentication.schema.json" with { type: "json" };
import proxyConfig from "./schemas/proxy-config.schema.json" with { type: "json" };
import referenceGrant from "./schemas/reference-grant.schema.json" with { type: "json" };
import requestAuthentication from "./schemas/request-authentication.schema.json" with { type: "json" };
import secret from "./schemas/secret.schema.json" with { type: "json" };
import service from "./schemas/service.schema.json" with { type: "json" };
import serviceEntry from "./schemas/service-entry.schema.json" with { type: "json" };
import sidecar from "./schemas/sidecar.schema.json" with { type: "json" };
import tcpRoute from "./schemas/tcp-route.schema.json" with { type: "json" };
import telemetry from "./schemas/telemetry.schema.json" with { type: "json" };
import tlsRoute from "./schemas/tls-route.schema.json" with { type: "json" };
import virtualService from "./schemas/virtual-service.schema.json" with { type: "json" };
import workloadEntry from "./schemas/workload-entry.schema.json" with { type: "json" };
import workloadGroup from "./schemas/workload-group.schema.json" with { type: "json" };
import { didYouMean } from "./suggest.ts";

/** A JSON schema as Kubernetes publishes them (OpenAPI v3, structural). */
export interface PublishedSchema {
  readonly [keyword: string]: unknown;
  readonly properties?: Readonly<Record<string, PublishedSchema>>;
  readonly items?: PublishedSchema;
  readonly additionalProperties?: PublishedSchema | boolean;
}

export interface KindSchema {
  readonly apiVersions: readonly string[];
  readonly spec: PublishedSchema;
  /** The fields of `spec` stand beside `metadata`: there is no `spec` in the document. */
  readonly isFlat?: boolean;
  /** Its values must not be told to anyone: findings are about places only. */
  readonly isPrivate?: boolean;
}

export const kindSchemas: Readonly<Record<MeshKind, KindSchema>> = {
  Service: service,
  EndpointSlice: endpointSlice,
  Endpoints: endpoints,
  VirtualService: virtualService,
  DestinationRule: destinationRule,
  ServiceEntry: serviceEntry,
  WorkloadEntry: workloadEntry,
  WorkloadGroup: workloadGroup,
  Sidecar: sidecar,
  ProxyConfig: proxyConfig,
  PeerAuthentication: peerAuthentication,
  RequestAuthentication: requestAuthentication,
  AuthorizationPolicy: authorizationPolicy,
  Telemetry: telemetry,
  HTTPRoute: httpRoute,
  GRPCRoute: grpcRoute,
  TLSRoute: tlsRoute,
  TCPRoute: tcpRoute,
  BackendTLSPolicy: backendTlsPolicy,
  ReferenceGrant: referenceGrant,
  Gateway: gateway,
  GatewayClass: gatewayClass,
  KubernetesGateway: kubernetesGateway,
  ListenerSet: listenerSet,
  Namespace: namespace,
  Secret: secret,
  ConfigMap: configMap,
  Canary: canary,
  MetricTemplate: metricTemplate,
  AlertProvider: alertProvider,
  ClusterFederatedTrustDomain: clusterFederatedTrustDomain,
};

const text = { type: "string" };
const texts = { type: "object", additionalProperties: text };
const anything = {};
const metadata = {
  type: "object",
  required: ["name"],
  properties: {
    name: text,
    namespace: text,
    labels: texts,
    annotations: texts,
    creationTimestamp: anything,
    finalizers: anything,
    generateName: anything,
    generation: anything,
    managedFields: anything,
    ownerReferences: anything,
    resourceVersion: anything,
    selfLink: anything,
    uid: anything,
  },
};

/** At most this many findings per document: a thousand typos are one mistake. */
const maxFindings = 40;

const ajv = new Ajv({ allErrors: true, verbose: true, strict: false, validateFormats: false });
ajv.addKeyword({
  keyword: "atMostOne",
  type: "object",
  schemaType: "array",
  errors: false,
  validate: (fields: string[], value: object) => fields.filter((f) => Object.hasOwn(value, f)).length <= 1,
});
/** A list is a set, or a map by one field of its items: as the API server, nothing may be in it twice. */
ajv.addKeyword({
  keyword: "x-kubernetes-list-type",
  type: "array",
  schemaType: "string",
  errors: false,
  validate: (type: string, list: unknown[], schema?: object) =>
    type === "atomic" || repeated(list, listKeyOf(schema)) === undefined,
});
const compiled = new Map<MeshKind, ValidateFunction>();

/**
 * Checks a document against its kind's published schema, made strict: a field
 * the schema does not name is an error, as it is in no cluster. True when valid.
 */
export function checkSchema(
  kind: MeshKind,
  value: unknown,
  origins: Origins,
  diagnostics: Diagnostics,
): boolean {
  let validate = compiled.get(kind);
  if (!validate) {
    const { spec, isFlat } = kindSchemas[kind];
    const own: PublishedSchema["properties"] = isFlat ? { metadata, ...spec.properties } : { metadata, spec };
    const required = isFlat ? ["metadata", ...requiredBy(spec)] : ["metadata", "spec"];
    const root = strict({ type: "object", required, properties: { apiVersion: text, kind: text, ...own } });
    validate = ajv.compile({ ...root, properties: { ...root.properties, status: anything } });
    compiled.set(kind, validate);
  }
  const isPrivate = kindSchemas[kind].isPrivate ?? false;
  return isValid(validate, value, { origins, diagnostics, isPrivate });
}

function requiredBy({ required = [] }: PublishedSchema): readonly string[] {
  return required as readonly string[];
}

/** The same for a document that is no resource. */
export function checkValue(
  schema: PublishedSchema,
  value: unknown,
  origins: Origins,
  diagnostics: Diagnostics,
): boolean {
  return isValid(ajv.compile(strict(schema)), value, { origins, diagnostics, isPrivate: false });
}

/** `isPrivate`: what is wrong is not shown. */
function isValid(
  validate: ValidateFunction,
  value: unknown,
  {
    origins,
    diagnostics,
    isPrivate,
  }: { readonly origins: Origins; readonly diagnostics: Diagnostics; readonly isPrivate: boolean },
): boolean {
  if (validate(value)) return true;
  const seen = new Set<string>();
  for (const error of validate.errors ?? []) {
    if (error.keyword === "anyOf" || error.schemaPath.includes("/anyOf/")) {
      if (error.keyword !== "anyOf") continue;
    }
    const before = `${error.instancePath} ${error.keyword} ${JSON.stringify(error.params)}`;
    if (seen.has(before)) continue;
    seen.add(before);
    if (seen.size > maxFindings) break;
    const isTold = !isPrivate || typeof error.data === "object";
    diagnostics.error(...describe(isTold ? error : { ...error, data: undefined }, origins));
  }
  return false;
}

/** Where the content of a document of this kind begins: `spec`, or "" where its fields stand beside `metadata`. */
export function contentPath(kind: MeshKind): string {
  return kindSchemas[kind].isFlat ? "" : "spec";
}

/** Forbids unknown fields, and turns `oneOf [none, a, b]` into "at most one", whose failure can be explained. */
function strict(schema: PublishedSchema): PublishedSchema {
  const out: Record<string, unknown> = { ...schema };
  if (schema.properties) {
    out.properties = Object.fromEntries(Object.entries(schema.properties).map(([k, v]) => [k, strict(v)]));
    if (!schema["x-kubernetes-preserve-unknown-fields"] && schema.additionalProperties === undefined) {
      out.additionalProperties = false;
    }
  }
  if (schema.items) out.items = strict(schema.items);
  if (typeof schema.additionalProperties === "object") {
    out.additionalProperties = strict(schema.additionalProperties);
  }
  if (schema.oneOf) {
    delete out.oneOf;
    const shared = sharedFields(schema.oneOf);
    out.atMostOne = alternatives(schema.oneOf).filter((field) => !shared.includes(field));
    if (shared.length > 0) out.required = [...((schema.required as string[]) ?? []), ...shared];
  }
  if (schema.allOf) {
    out.allOf = (schema.allOf as { oneOf: unknown }[]).map((part) => ({
      atMostOne: alternatives(part.oneOf),
    }));
  }
  return out;
}

function alternatives(oneOf: unknown): string[] {
  return (oneOf as { required?: string[] }[]).flatMap((alternative) => alternative.required ?? []);
}

/** What every alternative requires. */
function sharedFields(oneOf: unknown): string[] {
  const [first = [], ...others] = (oneOf as { required?: string[] }[]).map(({ required = [] }) => required);
  return first.filter((field) => others.every((required) => required.includes(field)));
}

function listKeyOf(schema: object | undefined): string | undefined {
  return (schema as { "x-kubernetes-list-map-keys"?: string[] } | undefined)?.[
    "x-kubernetes-list-map-keys"
  ]?.[0];
}

/** The first item, or value of its field `key`, that stands in the list twice. */
function repeated(list: readonly unknown[], key: string | undefined): unknown {
  const seen = new Set<unknown>();
  for (const item of list) {
    const value = key === undefined ? item : (item as Record<string, unknown> | null)?.[key];
    if (seen.has(value)) return value;
    seen.add(value);
  }
  return undefined;
}

type Described = [code: string, at: Origin, message: string, hint?: string];

function describe(error: ErrorObject, origins: Origins): Described {
  const path = pathOf(error.instancePath, origins);
  const at = origins.at(path);
  const label = path === "" ? "the document" : path;
  const params = error.params as Record<string, unknown>;
  switch (error.keyword) {
    case "additionalProperties": {
      const name = String(params.additionalProperty);
      const full = joinPath(path, name);
      const known = Object.keys((error.parentSchema as PublishedSchema).properties ?? {});
      const hint = didYouMean(name, known) ?? `known here: ${known.slice(0, 12).join(", ")}`;
      return ["W1101", origins.keyAt(full), `unknown field ${full}`, hint];
    }
    case "type": {
      const wanted = String(params.type);
      const hint = wanted === "string" ? `write it in quotes: "${plain(error.data)}"` : undefined;
      const isScalar = typeof error.data !== "object" && error.data !== undefined;
      const message = `${label} must be ${article(wanted)}, not ${typeName(error.data)}`;
      return ["W1102", at, message, isScalar ? hint : undefined];
    }
    case "anyOf":
      return ["W1102", at, `${label} must be a number or a string, not ${typeName(error.data)}`];
    case "enum": {
      const allowed = (params.allowedValues as unknown[]).map(String);
      const hint = didYouMean(plain(error.data), allowed) ?? `one of ${allowed.join(", ")}`;
      return ["W1103", at, `${label}: unknown value ${plain(error.data)}`, hint];
    }
    case "required": {
      const missing = String(params.missingProperty);
      return ["W1104", at, `${joinPath(path, missing)} is missing`, `add "${missing}:" here`];
    }
    case "atMostOne": {
      const fields = (error.schema as string[]).filter((f) => Object.hasOwn(error.data as object, f));
      const message = `${label} sets ${fields.join(" and ")} at once`;
      return ["W1106", at, message, "only one of them can apply: remove the others"];
    }
    case "x-kubernetes-list-type": {
      const twice = plain(repeated(error.data as unknown[], listKeyOf(error.parentSchema)));
      return ["W1106", at, `${label} has ${twice} twice`, "remove one of them"];
    }
    default:
      return ["W1105", at, `${label} ${error.message ?? "is not valid"}`];
  }
}

/** `/spec/http/0/route` to `spec.http[0].route`. A number is an index where the document has a list. */
function pathOf(pointer: string, origins: Origins): string {
  let path = "";
  for (const token of pointer.split("/").slice(1)) {
    const name = token.replaceAll("~1", "/").replaceAll("~0", "~");
    const asIndex = joinPath(path, Number(name));
    path = /^\d+$/.test(name) && origins.has(asIndex) ? asIndex : joinPath(path, name);
  }
  return path;
}

function plain(value: unknown): string {
  const printed = typeof value === "string" ? value : (JSON.stringify(value) ?? "");
  return printed.length > 60 ? `${printed.slice(0, 57)}...` : printed;
}

function article(type: string): string {
  const names: Record<string, string> = { array: "a list", object: "a map", integer: "a whole number" };
  return names[type] ?? `a ${type}`;
}

function typeName(value: unknown): string {
  if (value === null) return "empty";
  if (value === undefined) return "another type";
  if (Array.isArray(value)) return "a list";
  if (typeof value === "object") return "a map";
  return `the ${typeof value} ${plain(value)}`;
}
