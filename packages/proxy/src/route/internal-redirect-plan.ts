/** Which redirects the proxy follows itself. @see envoy.config.route.v3.InternalRedirectPolicy */
export interface InternalRedirectPlan {
  readonly maxRedirects: number;
  readonly statuses: ReadonlySet<number>;
  readonly allowsCrossScheme: boolean;
  /** Fields of the answer that the next request has, in lower case; those it lacks are removed. */
  readonly copiedFields: readonly string[];
  /** All must accept the route that the redirect leads to. */
  readonly predicates: readonly RedirectPredicate[];
}

export type RedirectPredicate =
  /** Each route is the target once, of the redirects of one route. */
  | { readonly kind: "previous-routes" }
  | { readonly kind: "allowed-routes"; readonly names: ReadonlySet<string> }
  /** Never from http to https. */
  | { readonly kind: "safe-cross-scheme" };
