import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { ClientResourceStatus } from "@weft/xds/gen/envoy/admin/v3/config_dump_shared_pb";
import {
  type ClientConfig_GenericXdsConfigSchema,
  type ClientConfigSchema,
  type ClientStatusRequest,
  type ClientStatusResponse,
  ClientStatusResponseSchema,
  ConfigStatus,
} from "@weft/xds/gen/envoy/service/status/v3/csds_pb";
import type { NodeMatcher } from "@weft/xds/gen/envoy/type/matcher/v3/node_pb";
import type { StringMatcher } from "@weft/xds/gen/envoy/type/matcher/v3/string_pb";
import { GrpcError, grpcCode } from "@weft/xds/grpc/grpc-status";
import type { XdsResource } from "@weft/xds/snapshot";
import { typeUrl as typeUrls } from "@weft/xds/type-url";
import { RE2JS } from "re2js";
import type { SyncState } from "../api/protocol.ts";

/** One xDS client: who it is, and what it is given of each type it asks for. */
export interface InspectedClient {
  readonly nodeId: string;
  readonly dataPlane: string;
  readonly types: readonly GivenType[];
}

export interface GivenType {
  readonly typeUrl: string;
  readonly state: SyncState;
  readonly error: string | undefined;
  readonly sentAtMs: number | undefined;
  readonly resources: readonly XdsResource[];
  /** Names it asks for that do not exist. */
  readonly missing: readonly string[];
}

/** What one answer may carry of resources; who wants more asks for fewer clients. */
const maxContentBytes = 32 << 20;
const maxMatchers = 64;

/**
 * What the clients that a request names are given, and how far each is; all of
 * them when it names none. Of a gateway's secrets only their names are told.
 *
 * @throws GrpcError INVALID_ARGUMENT for a matcher that means nothing here,
 * RESOURCE_EXHAUSTED when the answer would be larger than 32 MiB.
 * @see envoy.service.status.v3.ClientStatusRequest
 */
export function clientStatus(
  request: ClientStatusRequest,
  clients: Iterable<InspectedClient>,
): ClientStatusResponse {
  const matches = nodeMatch(request.nodeMatchers);
  const hasContents = !request.excludeResourceContents;
  let bytes = 0;
  const config: MessageInitShape<typeof ClientConfigSchema>[] = [];
  for (const client of clients) {
    if (!matches(client.nodeId)) continue;
    for (const { typeUrl, resources } of hasContents ? client.types : []) {
      if (!isShown(typeUrl)) continue;
      for (const { body } of resources) bytes += body.length;
      if (bytes > maxContentBytes) {
        const most = `an answer holds at most ${maxContentBytes >> 20} MiB`;
        const hint = "name fewer clients in node_matchers, or set exclude_resource_contents";
        throw new GrpcError(grpcCode.resourceExhausted, `${most}: ${hint}`);
      }
    }
    config.push({
      node: { id: client.nodeId, userAgentName: client.dataPlane },
      genericXdsConfigs: client.types.flatMap((type) => typeConfigs(type, hasContents)),
    });
  }
  return create(ClientStatusResponseSchema, { config });
}

function isShown(typeUrl: string): boolean {
  return typeUrl !== typeUrls.secret;
}

const configStatus: Readonly<Record<SyncState, ConfigStatus>> = {
  synced: ConfigStatus.SYNCED,
  stale: ConfigStatus.STALE,
  nacked: ConfigStatus.ERROR,
  "not sent": ConfigStatus.NOT_SENT,
};

const clientResourceStatus: Readonly<Record<SyncState, ClientResourceStatus>> = {
  synced: ClientResourceStatus.ACKED,
  stale: ClientResourceStatus.REQUESTED,
  nacked: ClientResourceStatus.NACKED,
  "not sent": ClientResourceStatus.REQUESTED,
};

function typeConfigs(
  { typeUrl, state, error, sentAtMs, resources, missing }: GivenType,
  hasContents: boolean,
): MessageInitShape<typeof ClientConfig_GenericXdsConfigSchema>[] {
  const given = resources.map(({ name, version, body }) => ({
    typeUrl,
    name,
    versionInfo: version,
    xdsConfig: hasContents && isShown(typeUrl) ? { typeUrl, value: body } : undefined,
    lastUpdated: sentAtMs === undefined ? undefined : timestampFromMs(sentAtMs),
    configStatus: configStatus[state],
    clientStatus: clientResourceStatus[state],
    errorState: error === undefined ? undefined : { details: error },
  }));
  const absent = missing.map((name) => ({
    typeUrl,
    name,
    configStatus: ConfigStatus.NOT_SENT,
    clientStatus: ClientResourceStatus.DOES_NOT_EXIST,
  }));
  return [...given, ...absent];
}

/** Any of the matchers; every client when there is none. */
function nodeMatch(matchers: readonly NodeMatcher[]): (nodeId: string) => boolean {
  if (matchers.length === 0) return () => true;
  if (matchers.length > maxMatchers) throw invalid(`more than ${maxMatchers} node_matchers`);
  const compiled = matchers.map(({ nodeId, nodeMetadatas }) => {
    if (nodeMetadatas.length > 0)
      throw invalid("node_matchers[].node_metadatas is not supported: use node_id");
    return nodeId ? textMatch(nodeId) : () => true;
  });
  return (id) => compiled.some((match) => match(id));
}

function textMatch({ matchPattern, ignoreCase }: StringMatcher): (text: string) => boolean {
  const fold = (text: string): string => (ignoreCase ? text.toLowerCase() : text);
  switch (matchPattern.case) {
    case "exact":
    case "prefix":
    case "suffix":
    case "contains": {
      const test = textTests[matchPattern.case];
      const wanted = fold(matchPattern.value);
      return (text) => test(fold(text), wanted);
    }
    case "safeRegex":
      return regexMatch(matchPattern.value.regex);
    default:
      throw invalid("node_matchers[].node_id has no pattern that is known here");
  }
}

const textTests = {
  exact: (text: string, wanted: string) => text === wanted,
  prefix: (text: string, wanted: string) => text.startsWith(wanted),
  suffix: (text: string, wanted: string) => text.endsWith(wanted),
  contains: (text: string, wanted: string) => text.includes(wanted),
};

function regexMatch(regex: string): (text: string) => boolean {
  try {
    const pattern = RE2JS.compile(regex.slice(0, 1_024));
    return (text) => pattern.matches(text);
  } catch {
    throw invalid("node_matchers[].node_id.safe_regex is not an expression of RE2");
  }
}

function invalid(text: string): GrpcError {
  return new GrpcError(grpcCode.invalidArgument, text);
}
