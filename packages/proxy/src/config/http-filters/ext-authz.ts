import {
  type BufferSettings,
  type CheckSettings,
  type ExtAuthz,
  ExtAuthzPerRouteSchema,
  ExtAuthzSchema,
  type HttpService,
} from "@weft/xds/gen/envoy/extensions/filters/http/ext_authz/v3/ext_authz_pb";
import type { ListStringMatcher } from "@weft/xds/gen/envoy/type/matcher/v3/string_pb";
import type { HttpStatus } from "@weft/xds/gen/envoy/type/v3/http_status_pb";
import type { Authorize } from "../../filters/ext-authz/authorization.ts";
import {
  type AuthorizedBody,
  createExtAuthzFilter,
  type ExtAuthzRouteConfig,
  extAuthzStats,
} from "../../filters/ext-authz/ext-authz.ts";
import { authorizeByHttp } from "../../filters/ext-authz/http-authorization.ts";
import { callGrpc } from "../../filters/grpc-callout.ts";
import type { DynamicMetadata } from "../../layer/dynamic-metadata.ts";
import { metadataAt } from "../../layer/dynamic-metadata.ts";
import {
  type CheckOptions,
  checkPath,
  decodeCheckResponse,
  encodeCheckRequest,
} from "../authorization-codec.ts";
import { decodeFeatureFlag } from "../decode-compression.ts";
import type { DecodeContext } from "../decode-context.ts";
import { decodeGrpcService } from "../decode-grpc-service.ts";
import { refuseProtected } from "../decode-header-edits.ts";
import { decodeHttpUri } from "../decode-http-uri.ts";
import { decodeMetadataMatcher } from "../decode-metadata-matcher.ts";
import { decodeFraction, decodeStringMatcher } from "../decode-values.ts";
import { at, type Issues } from "../issues.ts";
import { httpFilterType, routeConfigType } from "./http-filter-type.ts";

const defaultTimeoutMs = 200;

type NameTest = (name: string) => boolean;

export const extAuthzFilter = httpFilterType(
  ExtAuthzSchema,
  (message, { name, statPrefix, path }, context) => {
    const { issues, runtime, services } = context;
    const isDisallowed = decodeNames(message.disallowedHeaders, at(path, "disallowed_headers"), issues);
    const isAllowed = decodeAllowed(message, path, issues);
    const place = at(path, "filter_enabled_metadata");
    const statusPlace = at(path, "status_on_error.code");
    const { filterEnabledMetadata } = message;
    return createExtAuthzFilter(
      {
        authorize: decodeService(message.services, optionsOf(message), path, context),
        body: decodeBody(message.withRequestBody, at(path, "with_request_body"), issues),
        allowsOnFailure: message.failureModeAllow,
        marksAllowedFailure: message.failureModeAllowHeaderAdd,
        statusOnError: decodeStatus(message.statusOnError, 403, statusPlace, issues),
        refreshesRoute: message.clearRouteCache,
        enabled: decodeFraction(message.filterEnabled, runtime),
        isEnabledFor: filterEnabledMetadata && metadataTest(filterEnabledMetadata, place, issues),
        deniesAtDisable: message.denyAtDisable ? decodeFeatureFlag(message.denyAtDisable, runtime) : false,
        showsHeader: (header) => isAllowed(header) && !isDisallowed(header),
      },
      { stats: extAuthzStats(services.stats, statPrefix, message.statPrefix), random: services.random },
      name,
    );
  },
  routeConfigType(
    ExtAuthzPerRouteSchema,
    ({ override }, path, context): ExtAuthzRouteConfig | undefined => {
      switch (override.case) {
        case "disabled":
          if (override.value) return { isDisabled: true, context: {}, body: undefined, authorize: undefined };
          context.issues.add(at(path, "disabled"), "is false", "remove the entry, or give `check_settings`");
          return undefined;
        case "checkSettings":
          return decodeCheckSettings(override.value, at(path, "check_settings"), context);
        default:
          context.issues.add(path, "needs `disabled` or `check_settings`");
          return undefined;
      }
    },
    true,
  ),
);

/** A denial's status, or that of a failure. */
function decodeStatus(
  status: HttpStatus | undefined,
  fallback: number,
  path: string,
  issues: Issues,
): number {
  const code: number = status?.code || fallback;
  if (code < 200 || code > 599) issues.add(path, `${code} is not a response status`, "200 to 599");
  return code;
}

function optionsOf(message: ExtAuthz): CheckOptions {
  return {
    packsAsBytes: message.withRequestBody?.packAsBytes ?? false,
    includesTlsSession: message.includeTlsSession,
    metadataNamespaces: message.metadataContextNamespaces,
  };
}

function decodeService(
  service: ExtAuthz["services"],
  options: CheckOptions,
  path: string,
  context: DecodeContext,
): Authorize {
  const { callouts } = context.services;
  switch (service.case) {
    case "grpcService": {
      const target = decodeGrpcService(service.value, defaultTimeoutMs, at(path, "grpc_service"), context);
      return (asked, onVerdict) =>
        callGrpc(callouts, target, checkPath, encodeCheckRequest(asked, options), (reply) =>
          onVerdict(reply ? decodeCheckResponse(reply) : { kind: "error" }),
        );
    }
    case "httpService":
      return decodeHttpService(service.value, at(path, "http_service"), context);
    default:
      context.issues.add(path, "needs `grpc_service` or `http_service`");
      return (_asked, onVerdict) => {
        onVerdict({ kind: "error" });
        return { cancel() {} };
      };
  }
}

function decodeHttpService(service: HttpService, path: string, context: DecodeContext): Authorize {
  const { issues, services } = context;
  const { serverUri, pathPrefix, authorizationRequest, authorizationResponse: response } = service;
  if (pathPrefix !== "" && !pathPrefix.startsWith("/")) {
    issues.add(at(path, "path_prefix"), "does not begin with `/`");
  }
  const { cluster, timeoutMs } = decodeHttpUri(serverUri, at(path, "server_uri"), context);
  const responsePath = at(path, "authorization_response");
  const names = (matcher: ListStringMatcher | undefined, field: string) =>
    decodeNames(matcher, at(responsePath, field), issues);
  const client = response?.allowedClientHeaders;
  const toAdd = (authorizationRequest?.headersToAdd ?? []).flatMap(({ key, value }, i) => {
    const name = key.toLowerCase();
    refuseProtected(name, `${at(path, "authorization_request.headers_to_add")}[${i}].key`, context);
    return [name, value];
  });
  return authorizeByHttp(
    {
      cluster,
      timeoutMs,
      pathPrefix,
      headersToAdd: toAdd,
      isUpstreamHeader: names(response?.allowedUpstreamHeaders, "allowed_upstream_headers"),
      isUpstreamHeaderToAppend: names(
        response?.allowedUpstreamHeadersToAppend,
        "allowed_upstream_headers_to_append",
      ),
      isClientHeader: client && names(client, "allowed_client_headers"),
      isClientHeaderOnSuccess: names(
        response?.allowedClientHeadersOnSuccess,
        "allowed_client_headers_on_success",
      ),
      isMetadataHeader: names(response?.dynamicMetadataFromHeaders, "dynamic_metadata_from_headers"),
    },
    services.callouts,
  );
}

/** All headers for a gRPC service unless limited; for an HTTP one only what is named, and credentials. */
function decodeAllowed(message: ExtAuthz, path: string, issues: Issues): NameTest {
  const { allowedHeaders, services } = message;
  const older =
    services.case === "httpService" ? services.value.authorizationRequest?.allowedHeaders : undefined;
  const place = allowedHeaders ? at(path, "allowed_headers") : at(path, "http_service.authorization_request");
  const listed = decodeNames(allowedHeaders ?? older, place, issues);
  if (services.case === "httpService") return (name) => name === "authorization" || listed(name);
  return allowedHeaders ? listed : () => true;
}

/** Matches nothing where there is no list. */
function decodeNames(matcher: ListStringMatcher | undefined, path: string, issues: Issues): NameTest {
  const tests = (matcher?.patterns ?? []).map((pattern, i) =>
    decodeStringMatcher(pattern, `${at(path, "patterns")}[${i}]`, issues),
  );
  return (name) => tests.some((matches) => matches(name));
}

function metadataTest(
  matcher: Parameters<typeof decodeMetadataMatcher>[0],
  path: string,
  issues: Issues,
): (metadata: DynamicMetadata | undefined) => boolean {
  const { filter, keys, matches } = decodeMetadataMatcher(matcher, path, issues);
  return (metadata) => matches(metadataAt(metadata, filter, keys));
}

function decodeBody(
  settings: BufferSettings | undefined,
  path: string,
  issues: Issues,
): AuthorizedBody | undefined {
  if (!settings) return undefined;
  if (settings.maxRequestBytes === 0) {
    issues.add(at(path, "max_request_bytes"), "is not set", "give a size above 0");
  }
  return { maxBytes: settings.maxRequestBytes, allowsPartial: settings.allowPartialMessage };
}

function decodeCheckSettings(
  settings: CheckSettings,
  path: string,
  context: DecodeContext,
): ExtAuthzRouteConfig {
  const { contextExtensions, disableRequestBodyBuffering, withRequestBody, serviceOverride } = settings;
  if (disableRequestBodyBuffering && withRequestBody) {
    context.issues.add(at(path, "with_request_body"), "excludes `disable_request_body_buffering`");
  }
  const options = {
    packsAsBytes: withRequestBody?.packAsBytes ?? false,
    includesTlsSession: false,
    metadataNamespaces: [],
  };
  const body = decodeBody(withRequestBody, at(path, "with_request_body"), context.issues);
  return {
    isDisabled: false,
    context: contextExtensions,
    body: disableRequestBodyBuffering ? "none" : body,
    authorize: serviceOverride.case ? decodeService(serviceOverride, options, path, context) : undefined,
  };
}
