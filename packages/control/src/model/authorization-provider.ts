interface Provider {
  /** Hostname of a service of the mesh's registry. */
  readonly host: string;
  readonly port: number;
  readonly timeoutMs: number;
  /** Lets requests pass while it does not answer. */
  readonly failsOpen: boolean;
  readonly clearsRoute: boolean;
  /** Undefined: 403. */
  readonly statusOnError: number | undefined;
  /** Undefined: the provider does not see bodies. */
  readonly body:
    | { readonly maxBytes: number; readonly allowsPartial: boolean; readonly packsAsBytes: boolean }
    | undefined;
}

/** A service that is asked by the request itself: 200 lets it pass. @see envoy.extensions.filters.http.ext_authz.v3.HttpService */
export interface HttpAuthorizationProvider extends Provider {
  readonly kind: "http";
  readonly pathPrefix: string;
  /** Names of headers, with `*` first or last for any. */
  readonly includedHeaders: readonly string[];
  readonly addedHeaders: readonly { readonly name: string; readonly value: string }[];
  /** "all": what of its answer is not about the answer itself. */
  readonly toUpstream: readonly string[] | "all";
  readonly toClientOnDenial: readonly string[];
  readonly toClientOnSuccess: readonly string[];
}

/** A service that speaks Envoy's authorization protocol. @see envoy.service.auth.v3.Authorization */
export interface GrpcAuthorizationProvider extends Provider {
  readonly kind: "grpc";
  /** Names of headers; undefined: it sees all. */
  readonly includedHeaders?: readonly string[];
}

/** Whom CUSTOM policies and routes ask. */
export type AuthorizationProvider = HttpAuthorizationProvider | GrpcAuthorizationProvider;
