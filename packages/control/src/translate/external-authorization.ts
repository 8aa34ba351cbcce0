import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { ApiVersion } from "@weft/xds/gen/envoy/config/core/v3/config_source_pb";
import { type Filter, FilterSchema } from "@weft/xds/gen/envoy/config/listener/v3/listener_components_pb";
import {
  type BufferSettingsSchema,
  ExtAuthzSchema,
  type HttpServiceSchema,
} from "@weft/xds/gen/envoy/extensions/filters/http/ext_authz/v3/ext_authz_pb";
import { ExtAuthzSchema as NetworkExtAuthzSchema } from "@weft/xds/gen/envoy/extensions/filters/network/ext_authz/v3/ext_authz_pb";
import type { MetadataMatcherSchema } from "@weft/xds/gen/envoy/type/matcher/v3/metadata_pb";
import type { ListStringMatcherSchema } from "@weft/xds/gen/envoy/type/matcher/v3/string_pb";
import type {
  AuthorizationProvider,
  GrpcAuthorizationProvider,
  HttpAuthorizationProvider,
} from "../model/authorization-provider.ts";
import { type HttpFilter, httpFilter } from "./http-filter.ts";
import { duration, pack } from "./messages.ts";
import { outboundClusterName } from "./names.ts";
import { patternsExcept } from "./patterns-except.ts";
import { regexMatch } from "./string-match.ts";

type Fields = Exclude<MessageInitShape<typeof ExtAuthzSchema>, { $typeName: string }>;
type Names = Exclude<MessageInitShape<typeof ListStringMatcherSchema>, { $typeName: string }>;

const rbacFilterName = "envoy.filters.http.rbac";
const rbacNetworkFilterName = "envoy.filters.network.rbac";
/** Goes before what an evaluation of CUSTOM policies leaves in the metadata of RBAC. */
export const customStatPrefix = "istio_ext_authz_";

/** Names of fields of an answer that are not about the answer itself: how it is framed, what it holds, who made it. */
const ofTheVerdict = patternsExcept([
  ...[":", "content-", "transfer-", "x-envoy-"].map((prefix) => ({ prefix })),
  ..."connection date host keep-alive server te trailer upgrade".split(" "),
]).map(regexMatch);

/** How policies are named that a provider is to be asked about: it is asked where one of them matched. */
export function customPolicyPrefix(provider: string): string {
  return `istio-ext-authz-${provider}-`;
}

/** Asks a provider about the requests that one of its policies matched; while it does not answer they are refused, unless it says otherwise. */
export function externalAuthorization(name: string, provider: AuthorizationProvider): HttpFilter {
  const fields = { ...questionOf(provider), filterEnabledMetadata: whereMatched(name, rbacFilterName) };
  return httpFilter(`envoy.filters.http.ext_authz.${name}`, pack(ExtAuthzSchema, fields));
}

/** How a provider is asked, about every request that comes to the filter. */
export function questionOf(provider: AuthorizationProvider): Fields {
  return {
    ...(provider.kind === "http" ? httpFields(provider) : grpcFields(provider)),
    failureModeAllow: provider.failsOpen,
    clearRouteCache: provider.clearsRoute,
    ...(provider.statusOnError === undefined ? {} : { statusOnError: { code: provider.statusOnError } }),
    ...(provider.body ? { withRequestBody: bodyOf(provider.body) } : {}),
  };
}

/** The same about connections, which only a provider of Envoy's protocol can be asked about. */
export function connectionAuthorization(name: string, provider: GrpcAuthorizationProvider): Filter {
  const value = pack(NetworkExtAuthzSchema, {
    statPrefix: `${name}.`,
    grpcService: grpcServiceOf(provider),
    failureModeAllow: provider.failsOpen,
    transportApiVersion: ApiVersion.V3,
    filterEnabledMetadata: whereMatched(name, rbacNetworkFilterName),
  });
  return create(FilterSchema, {
    name: `envoy.filters.network.ext_authz.${name}`,
    configType: { case: "typedConfig", value },
  });
}

/** Where one of the provider's policies matched: an evaluation that enforces nothing has left its name. */
function whereMatched(provider: string, filter: string): MessageInitShape<typeof MetadataMatcherSchema> {
  return {
    filter,
    path: [{ segment: { case: "key", value: `${customStatPrefix}shadow_effective_policy_id` } }],
    value: {
      matchPattern: {
        case: "stringMatch",
        // To the bracket, so that a provider is not asked for one whose name begins with its own.
        value: { matchPattern: { case: "prefix", value: `${customPolicyPrefix(provider)}ns[` } },
      },
    },
  };
}

function clusterOf({ host, port }: AuthorizationProvider): string {
  return outboundClusterName(port, "", host);
}

function bodyOf(
  body: NonNullable<AuthorizationProvider["body"]>,
): MessageInitShape<typeof BufferSettingsSchema> {
  const { maxBytes, allowsPartial, packsAsBytes } = body;
  return { maxRequestBytes: maxBytes, allowPartialMessage: allowsPartial, packAsBytes: packsAsBytes };
}

function grpcFields(provider: GrpcAuthorizationProvider): Fields {
  const { includedHeaders } = provider;
  return {
    services: { case: "grpcService", value: grpcServiceOf(provider) },
    ...(includedHeaders ? { allowedHeaders: namesOf(includedHeaders) } : {}),
  };
}

function grpcServiceOf(provider: GrpcAuthorizationProvider) {
  return {
    targetSpecifier: {
      case: "envoyGrpc" as const,
      value: { clusterName: clusterOf(provider), authority: provider.host },
    },
    timeout: duration(provider.timeoutMs),
  };
}

function httpFields(provider: HttpAuthorizationProvider): Fields {
  const { toUpstream, toClientOnDenial, toClientOnSuccess, includedHeaders, addedHeaders } = provider;
  const service: Exclude<MessageInitShape<typeof HttpServiceSchema>, { $typeName: string }> = {
    serverUri: {
      uri: `http://${provider.host}`,
      httpUpstreamType: { case: "cluster", value: clusterOf(provider) },
      timeout: duration(provider.timeoutMs),
    },
    pathPrefix: provider.pathPrefix,
  };
  if (addedHeaders.length > 0) {
    service.authorizationRequest = {
      headersToAdd: addedHeaders.map(({ name, value }) => ({ key: name, value })),
    };
  }
  if (toUpstream.length + toClientOnDenial.length + toClientOnSuccess.length > 0) {
    service.authorizationResponse = {
      ...(toUpstream === "all"
        ? { allowedUpstreamHeaders: { patterns: ofTheVerdict } }
        : toUpstream.length > 0
          ? { allowedUpstreamHeaders: namesOf(toUpstream) }
          : {}),
      ...(toClientOnDenial.length > 0 ? { allowedClientHeaders: namesOf(toClientOnDenial) } : {}),
      ...(toClientOnSuccess.length > 0 ? { allowedClientHeadersOnSuccess: namesOf(toClientOnSuccess) } : {}),
    };
  }
  return {
    services: { case: "httpService", value: service },
    ...(includedHeaders.length > 0 ? { allowedHeaders: namesOf(includedHeaders) } : {}),
  };
}

/** `a`, `a*` or `*a`, without case. */
function namesOf(patterns: readonly string[]): Names {
  return {
    patterns: patterns.map((pattern) => ({
      ignoreCase: true,
      matchPattern: pattern.startsWith("*")
        ? { case: "suffix", value: pattern.slice(1) }
        : pattern.endsWith("*")
          ? { case: "prefix", value: pattern.slice(0, -1) }
          : { case: "exact", value: pattern },
    })),
  };
}
