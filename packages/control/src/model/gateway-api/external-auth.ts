import type { ExternalAuthSpec } from "../../config/gateway-api-specs.ts";
import type { AuthorizationProvider } from "../authorization-provider.ts";
import { type BackendLookup, type RefProblem, resolveBackend } from "./backend-refs.ts";

/** The API says nothing of it: as long as somebody may wait for an answer. */
const timeoutMs = 10_000;

/**
 * Whom a filter `ExternalAuth` asks. Undefined, with the reason among the
 * problems, where there is nobody to ask: requests must be refused then.
 */
export function externalAuth(
  spec: ExternalAuthSpec,
  path: string,
  route: { readonly kind: string; readonly namespace: string },
  backends: BackendLookup,
  problems: RefProblem[],
): AuthorizationProvider | undefined {
  const at = `${path}.backendRef`;
  const { destination, problem } = resolveBackend(spec.backendRef, at, route, backends);
  const service = backends.services.get(destination.host);
  const port = service?.ports.find(({ number }) => number === (destination.port ?? service.ports[0]?.number));
  if (problem || !port) {
    const missing = {
      reason: "BackendNotFound",
      message: `${destination.host} has no port`,
      path: at,
    } as const;
    problems.push(problem ?? missing);
    return undefined;
  }
  const { allowedHeaders = [] } = spec.grpc ?? spec.http ?? {};
  const maxBytes = spec.forwardBody?.maxSize ?? 0;
  const asked = {
    host: destination.host,
    port: port.number,
    timeoutMs,
    failsOpen: false,
    clearsRoute: false,
    statusOnError: undefined,
    body: maxBytes > 0 ? { maxBytes, allowsPartial: false, packsAsBytes: false } : undefined,
  };
  if (spec.protocol === "GRPC") {
    if (port.protocol !== "grpc" && port.protocol !== "http2") {
      const message = `port ${port.number} of ${destination.host} is for ${port.protocol}, not for gRPC: say so by its appProtocol or name`;
      problems.push({ reason: "UnsupportedProtocol", message, path: at });
      return undefined;
    }
    return {
      kind: "grpc",
      ...asked,
      ...(allowedHeaders.length > 0 ? { includedHeaders: allowedHeaders } : {}),
    };
  }
  const { path: pathPrefix = "", allowedResponseHeaders = [] } = spec.http ?? {};
  return {
    kind: "http",
    ...asked,
    pathPrefix,
    includedHeaders: allowedHeaders,
    addedHeaders: [],
    toUpstream: allowedResponseHeaders.length > 0 ? allowedResponseHeaders : "all",
    toClientOnDenial: [],
    toClientOnSuccess: [],
  };
}
