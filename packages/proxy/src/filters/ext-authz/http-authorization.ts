import type { MetadataValue } from "../../layer/dynamic-metadata.ts";
import { HeaderList } from "../../layer/header-list.ts";
import type { CalloutResult, Callouts } from "../callout.ts";
import type {
  AuthorizationRequest,
  AuthorizationVerdict,
  Authorize,
  AuthorizedField,
} from "./authorization.ts";

type NameTest = (name: string) => boolean;

/** @see envoy.extensions.filters.http.ext_authz.v3.HttpService */
export interface HttpAuthorizationPlan {
  readonly cluster: string;
  readonly timeoutMs: number;
  /** Goes before the request's own path. */
  readonly pathPrefix: string;
  /** Flat. */
  readonly headersToAdd: readonly string[];
  readonly isUpstreamHeader: NameTest;
  readonly isUpstreamHeaderToAppend: NameTest;
  /** Undefined passes all of a denial's fields on. */
  readonly isClientHeader: NameTest | undefined;
  readonly isClientHeaderOnSuccess: NameTest;
  readonly isMetadataHeader: NameTest;
}

const maxBodyBytes = 256 * 1024;
const removalField = "x-envoy-auth-headers-to-remove";

/** Asks by an HTTP request with the method, path and host of the request in question: 200 lets it through. */
export function authorizeByHttp(plan: HttpAuthorizationPlan, callouts: Callouts): Authorize {
  return (asked, onVerdict) =>
    callouts.start(
      {
        cluster: plan.cluster,
        head: headOf(plan, asked),
        body: asked.body?.length ? asked.body : undefined,
        timeoutMs: plan.timeoutMs,
        maxResponseBytes: maxBodyBytes,
      },
      (result) => onVerdict(verdictOf(plan, result)),
    );
}

function headOf(plan: HttpAuthorizationPlan, { exchange, headers, body, isPartial }: AuthorizationRequest) {
  const { method, path, authority, scheme } = exchange.request!;
  const fields = new HeaderList(["content-length", `${body?.length ?? 0}`]);
  for (let i = 0; i < headers.length; i += 2) {
    if (headers[i] !== "content-length") fields.append(headers[i]!, headers[i + 1]!);
  }
  if (body) fields.append("x-envoy-auth-partial-body", String(isPartial));
  for (let i = 0; i < plan.headersToAdd.length; i += 2) {
    fields.set(plan.headersToAdd[i]!, plan.headersToAdd[i + 1]!);
  }
  return { method, path: `${plan.pathPrefix}${path}`, authority, scheme, upgrade: "", headers: fields };
}

function verdictOf(plan: HttpAuthorizationPlan, result: CalloutResult): AuthorizationVerdict {
  if (result.kind !== "response") return { kind: "error" };
  const { status, headers } = result.head;
  // A server that is broken has not decided anything.
  if (status >= 500) return { kind: "error" };
  const metadata = metadataIn(headers, plan.isMetadataHeader);
  if (status === 200) {
    return {
      kind: "ok",
      requestFields: [
        ...fieldsIn(headers, plan.isUpstreamHeader, "set"),
        ...fieldsIn(headers, plan.isUpstreamHeaderToAppend, "add"),
      ],
      fieldsToRemove: (headers.getAll(removalField) ?? "")
        .split(",")
        .map((name) => name.trim().toLowerCase())
        .filter((name) => name !== ""),
      responseFields: fieldsIn(headers, plan.isClientHeaderOnSuccess, "add"),
      parametersToSet: [],
      parametersToRemove: [],
      metadata,
    };
  }
  const isAllowed = plan.isClientHeader ?? (() => true);
  const isPassed = (name: string) => !hopByHop.has(name) && (alwaysPassed.has(name) || isAllowed(name));
  return { kind: "denied", status, fields: fieldsIn(headers, isPassed, "add"), body: result.body, metadata };
}

/** Of the answer's message, not of the verdict. */
const hopByHop = new Set(["content-length", "transfer-encoding", "connection", "date", "server", "host"]);
const alwaysPassed = new Set(["www-authenticate", "location", "proxy-authenticate"]);

function fieldsIn(
  headers: HeaderList,
  isWanted: NameTest,
  action: AuthorizedField["action"],
): readonly AuthorizedField[] {
  const { flat } = headers;
  const fields: AuthorizedField[] = [];
  for (let i = 0; i < flat.length; i += 2) {
    const name = flat[i]!;
    if (name !== removalField && isWanted(name)) fields.push({ name, value: flat[i + 1]!, action });
  }
  return fields;
}

function metadataIn(headers: HeaderList, isWanted: NameTest): ReadonlyMap<string, MetadataValue> | undefined {
  const fields = fieldsIn(headers, isWanted, "set");
  return fields.length > 0 ? new Map(fields.map(({ name, value }) => [name, value] as const)) : undefined;
}
