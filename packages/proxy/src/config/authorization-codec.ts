import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import type { HeaderValueOption } from "@weft/xds/gen/envoy/config/core/v3/base_pb";
import { HeaderValueOption_HeaderAppendAction as Action } from "@weft/xds/gen/envoy/config/core/v3/base_pb";
import {
  CheckRequestSchema,
  type CheckResponse,
  CheckResponseSchema,
} from "@weft/xds/gen/envoy/service/auth/v3/external_auth_pb";
import type {
  AuthorizationRequest,
  AuthorizationVerdict,
  AuthorizedField,
} from "../filters/ext-authz/authorization.ts";
import type { MetadataValue } from "../layer/dynamic-metadata.ts";
import type { PeerIdentity } from "../net/tls-plan.ts";
import { addressMessage } from "./address-message.ts";

export const checkPath = "/envoy.service.auth.v3.Authorization/Check";

/** What a gRPC authorization service is told beyond the request itself. */
export interface CheckOptions {
  readonly packsAsBytes: boolean;
  readonly includesTlsSession: boolean;
  /** Filters whose dynamic metadata it gets. */
  readonly metadataNamespaces: readonly string[];
}

/** @see envoy.service.auth.v3.CheckRequest */
export function encodeCheckRequest(asked: AuthorizationRequest, options: CheckOptions): Uint8Array {
  const { exchange, context, body } = asked;
  const { connection, dynamicMetadata } = exchange;
  const request = exchange.request!;
  const { packsAsBytes, includesTlsSession, metadataNamespaces } = options;
  const filterMetadata = Object.fromEntries(
    metadataNamespaces.flatMap((name) => {
      const values = dynamicMetadata?.get(name);
      return values ? [[name, Object.fromEntries(values)]] : [];
    }),
  );
  const check = create(CheckRequestSchema, {
    attributes: {
      source: {
        address: addressMessage(connection.remote),
        principal: principalOf(connection.peer),
        service: request.headers.get("x-envoy-downstream-service-cluster") ?? "",
      },
      destination: { address: addressMessage(connection.local), principal: connection.ownUris[0] ?? "" },
      request: {
        time: {
          seconds: BigInt(Math.floor(exchange.startEpochMs / 1000)),
          nanos: (exchange.startEpochMs % 1000) * 1_000_000,
        },
        http: {
          id: `${connection.id}-${exchange.requestId}`,
          method: request.method,
          path: request.path,
          host: request.authority,
          scheme: request.scheme,
          headers: headersOf(asked),
          protocol: exchange.protocol,
          size: BigInt(exchange.bytesReceived),
          ...(body && packsAsBytes ? { rawBody: new Uint8Array(body) } : {}),
          ...(body && !packsAsBytes ? { body: body.toString("utf8") } : {}),
        },
      },
      contextExtensions: { ...context },
      metadataContext: { filterMetadata: filterMetadata as never },
      ...(includesTlsSession && connection.isTls
        ? { tlsSession: { sni: connection.tlsServerName ?? "" } }
        : {}),
    },
  });
  return toBinary(CheckRequestSchema, check);
}

/** The answer of the service; "error" for one that cannot be read. */
export function decodeCheckResponse(bytes: Uint8Array): AuthorizationVerdict {
  let response: CheckResponse;
  try {
    response = fromBinary(CheckResponseSchema, bytes);
  } catch {
    return { kind: "error" };
  }
  const { status, httpResponse } = response;
  const metadata = response.dynamicMetadata && metadataOf(response.dynamicMetadata);
  if ((status?.code ?? 0) === 0) {
    const ok = httpResponse.case === "okResponse" ? httpResponse.value : undefined;
    return {
      kind: "ok",
      requestFields: (ok?.headers ?? []).map((option) => fieldOf(option, "append", "set")),
      fieldsToRemove: (ok?.headersToRemove ?? []).map((name) => name.toLowerCase()),
      responseFields: (ok?.responseHeadersToAdd ?? []).map(responseFieldOf),
      parametersToSet: (ok?.queryParametersToSet ?? []).map(({ key, value }) => [key, value] as const),
      parametersToRemove: ok?.queryParametersToRemove ?? [],
      metadata: metadata ?? (ok?.dynamicMetadata && metadataOf(ok.dynamicMetadata)),
    };
  }
  const denied = httpResponse.case === "deniedResponse" ? httpResponse.value : undefined;
  const code = denied?.status?.code ?? 0;
  return {
    kind: "denied",
    status: code >= 200 && code <= 599 ? code : 403,
    fields: (denied?.headers ?? []).map((option) => fieldOf(option, "add", "set")).filter(isSendable),
    body: Buffer.from(denied?.body ?? ""),
    metadata,
  };
}

/** What the proxy itself decides about its answers. */
function isSendable({ name }: AuthorizedField): boolean {
  return name !== "content-length" && name !== "transfer-encoding" && name !== "connection";
}

function fieldOf(
  { header, append }: HeaderValueOption,
  appending: AuthorizedField["action"],
  otherwise: AuthorizedField["action"],
): AuthorizedField {
  return {
    name: header?.key.toLowerCase() ?? "",
    value: textOf(header),
    action: append ? appending : otherwise,
  };
}

const responseActions: Readonly<Record<Action, AuthorizedField["action"]>> = {
  [Action.APPEND_IF_EXISTS_OR_ADD]: "add",
  [Action.ADD_IF_ABSENT]: "add-if-absent",
  [Action.OVERWRITE_IF_EXISTS_OR_ADD]: "set",
  [Action.OVERWRITE_IF_EXISTS]: "set-if-exists",
};

function responseFieldOf(option: HeaderValueOption): AuthorizedField {
  const { header, append, appendAction } = option;
  const action = append === undefined ? responseActions[appendAction] : append ? "add" : "set";
  return { name: header?.key.toLowerCase() ?? "", value: textOf(header), action };
}

/** Control characters would break the message apart. */
function textOf(header: HeaderValueOption["header"]): string {
  const text = header?.value || Buffer.from(header?.rawValue ?? []).toString("latin1");
  return text.replaceAll(/[\0-\x08\x0a-\x1f\x7f]/g, "");
}

function headersOf({ exchange, headers, body, isPartial }: AuthorizationRequest): Record<string, string> {
  const { method, path, authority, scheme } = exchange.request!;
  const map: Record<string, string> = {
    ":method": method,
    ":path": path,
    ":authority": authority,
    ":scheme": scheme,
  };
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i]!;
    const value = headers[i + 1]!;
    map[name] = Object.hasOwn(map, name) ? `${map[name]},${value}` : value;
  }
  if (body) map["x-envoy-auth-partial-body"] = String(isPartial);
  return map;
}

/** Who a peer is, in the words of Envoy's authorization protocol. */
export function principalOf(peer: PeerIdentity | undefined): string {
  return peer?.uris[0] ?? peer?.dnsNames[0] ?? peer?.subject ?? "";
}

function metadataOf(struct: object): ReadonlyMap<string, MetadataValue> {
  return new Map(Object.entries(struct as Record<string, MetadataValue>));
}
