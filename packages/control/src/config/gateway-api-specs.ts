/** The specs of the Gateway API's kinds as they are written: of them the fields that Weft reads. */

/** What a route is attached to: a Service unless `kind` says otherwise, of the route's namespace. */
export interface ParentRefSpec {
  readonly group?: string;
  readonly kind?: string;
  readonly name: string;
  readonly namespace?: string;
  /** Of a listener of a Gateway, or of a port of a service. */
  readonly sectionName?: string;
  readonly port?: number;
}

/** A Service unless `kind` says otherwise, of the route's namespace. */
export interface BackendObjectSpec {
  readonly group?: string;
  readonly kind?: string;
  readonly name: string;
  readonly namespace?: string;
  readonly port?: number;
}

export interface BackendRefSpec extends BackendObjectSpec {
  readonly weight?: number;
}

/** Of the policy's own namespace. */
export interface PolicyTargetRefSpec {
  readonly group: string;
  readonly kind: string;
  readonly name: string;
  /** The name of a port. */
  readonly sectionName?: string;
}

export interface BackendTlsPolicySpec {
  readonly targetRefs: readonly PolicyTargetRefSpec[];
  readonly validation: {
    readonly caCertificateRefs?: readonly {
      readonly group: string;
      readonly kind: string;
      readonly name: string;
    }[];
    readonly wellKnownCACertificates?: string;
    /** The server name that is asked for, and proved unless other names are to be. */
    readonly hostname: string;
    readonly subjectAltNames?: readonly {
      readonly type: "Hostname" | "URI";
      readonly hostname?: string;
      readonly uri?: string;
    }[];
  };
}

export interface HttpRouteResourceSpec {
  readonly parentRefs?: readonly ParentRefSpec[];
  readonly hostnames?: readonly string[];
  readonly rules?: readonly HttpRuleSpec[];
}

export interface HttpRuleSpec {
  readonly name?: string;
  readonly matches?: readonly HttpRuleMatchSpec[];
  readonly filters?: readonly HttpFilterSpec[];
  readonly backendRefs?: readonly HttpBackendRefSpec[];
  readonly timeouts?: { readonly request?: string; readonly backendRequest?: string };
  readonly retry?: {
    readonly codes?: readonly number[];
    readonly attempts?: number;
    readonly backoff?: string;
  };
  readonly sessionPersistence?: SessionPersistenceSpec;
}

/** Requests of one client go where its first one went. */
export interface SessionPersistenceSpec {
  readonly type?: "Cookie" | "Header";
  readonly absoluteTimeout?: string;
  readonly cookie?: {
    readonly name?: string;
    readonly path?: string;
    readonly lifetimeType?: "Permanent" | "Session";
  };
  readonly header?: { readonly name: string };
}

export interface HttpBackendRefSpec extends BackendRefSpec {
  readonly filters?: readonly HttpFilterSpec[];
}

export interface PathMatchSpec {
  readonly type?: "Exact" | "PathPrefix" | "RegularExpression";
  readonly value?: string;
}

export interface ValueMatchSpec {
  readonly name: string;
  readonly type?: "Exact" | "RegularExpression";
  readonly value: string;
}

export interface HttpRuleMatchSpec {
  readonly path?: PathMatchSpec;
  readonly headers?: readonly ValueMatchSpec[];
  readonly queryParams?: readonly ValueMatchSpec[];
  readonly method?: string;
}

export interface HeaderFilterSpec {
  readonly set?: readonly { readonly name: string; readonly value: string }[];
  readonly add?: readonly { readonly name: string; readonly value: string }[];
  readonly remove?: readonly string[];
}

export interface PathModifierSpec {
  readonly type: "ReplaceFullPath" | "ReplacePrefixMatch";
  readonly replaceFullPath?: string;
  readonly replacePrefixMatch?: string;
}

export interface RequestRedirectSpec {
  readonly scheme?: string;
  readonly hostname?: string;
  readonly path?: PathModifierSpec;
  readonly port?: number;
  readonly statusCode?: number;
}

export interface RequestMirrorSpec {
  readonly backendRef: BackendObjectSpec;
  readonly percent?: number;
  readonly fraction?: { readonly numerator: number; readonly denominator?: number };
}

export interface CorsFilterSpec {
  readonly allowOrigins?: readonly string[];
  readonly allowMethods?: readonly string[];
  readonly allowHeaders?: readonly string[];
  readonly exposeHeaders?: readonly string[];
  readonly allowCredentials?: boolean;
  readonly maxAge?: number;
}

export interface ExternalAuthSpec {
  readonly protocol: "HTTP" | "GRPC";
  readonly backendRef: BackendObjectSpec;
  readonly grpc?: { readonly allowedHeaders?: readonly string[] };
  readonly http?: {
    readonly path?: string;
    readonly allowedHeaders?: readonly string[];
    readonly allowedResponseHeaders?: readonly string[];
  };
  readonly forwardBody?: { readonly maxSize?: number };
}

export interface HttpFilterSpec {
  readonly type: string;
  readonly requestHeaderModifier?: HeaderFilterSpec;
  readonly responseHeaderModifier?: HeaderFilterSpec;
  readonly requestRedirect?: RequestRedirectSpec;
  readonly urlRewrite?: { readonly hostname?: string; readonly path?: PathModifierSpec };
  readonly requestMirror?: RequestMirrorSpec;
  readonly cors?: CorsFilterSpec;
  readonly externalAuth?: ExternalAuthSpec;
}

export interface GrpcRouteResourceSpec {
  readonly parentRefs?: readonly ParentRefSpec[];
  readonly hostnames?: readonly string[];
  readonly rules?: readonly GrpcRuleSpec[];
}

export interface GrpcRuleSpec
  extends Pick<HttpRuleSpec, "name" | "filters" | "backendRefs" | "sessionPersistence"> {
  readonly matches?: readonly GrpcRuleMatchSpec[];
}

export interface GrpcRuleMatchSpec {
  readonly method?: {
    readonly type?: "Exact" | "RegularExpression";
    readonly service?: string;
    readonly method?: string;
  };
  readonly headers?: readonly ValueMatchSpec[];
}

export interface TcpRouteResourceSpec {
  readonly parentRefs?: readonly ParentRefSpec[];
  readonly rules: readonly { readonly name?: string; readonly backendRefs: readonly BackendRefSpec[] }[];
}

export interface TlsRouteResourceSpec extends TcpRouteResourceSpec {
  readonly hostnames: readonly string[];
}

export interface ReferenceGrantSpec {
  readonly from: readonly { readonly group: string; readonly kind: string; readonly namespace: string }[];
  readonly to: readonly { readonly group: string; readonly kind: string; readonly name?: string }[];
}

export interface GatewayClassSpec {
  readonly controllerName: string;
}

export interface KubernetesGatewaySpec {
  readonly gatewayClassName: string;
  readonly listeners: readonly ListenerSpec[];
  readonly addresses?: readonly GatewayAddressSpec[];
  readonly tls?: GatewayTlsSpec;
  /** Whose ListenerSets are attached; none where nothing is said. */
  readonly allowedListeners?: { readonly namespaces?: AllowedNamespacesSpec<"None"> };
  readonly infrastructure?: {
    readonly parametersRef?: { readonly group: string; readonly kind: string; readonly name: string };
  };
}

/** An IP address unless `type` says otherwise; without a value any. */
export interface GatewayAddressSpec {
  readonly type?: string;
  readonly value?: string;
}

export interface GatewayTlsSpec {
  /** The certificate that the gateway shows to backends. */
  readonly backend?: { readonly clientCertificateRef?: SecretRefSpec };
  readonly frontend?: {
    readonly default: FrontendTlsSpec;
    readonly perPort?: readonly { readonly port: number; readonly tls: FrontendTlsSpec }[];
  };
}

/** How clients are verified. */
export interface FrontendTlsSpec {
  readonly validation?: {
    readonly caCertificateRefs: readonly {
      readonly group: string;
      readonly kind: string;
      readonly name: string;
      readonly namespace?: string;
    }[];
    readonly mode?: "AllowValidOnly" | "AllowInsecureFallback";
  };
}

/** Listeners beside those of a Gateway itself. */
export interface ListenerSetSpec {
  readonly parentRef: {
    readonly group?: string;
    readonly kind?: string;
    readonly name: string;
    readonly namespace?: string;
  };
  readonly listeners: readonly ListenerSpec[];
}

/** `Same` unless something else is said; for listeners `None`. */
export interface AllowedNamespacesSpec<More extends string = never> {
  readonly from?: "All" | "Selector" | "Same" | More;
  readonly selector?: LabelSelectorSpec;
}

export interface ListenerSpec {
  readonly name: string;
  readonly hostname?: string;
  readonly port: number;
  readonly protocol: string;
  readonly tls?: {
    readonly mode?: "Terminate" | "Passthrough";
    readonly certificateRefs?: readonly SecretRefSpec[];
  };
  readonly allowedRoutes?: {
    readonly namespaces?: AllowedNamespacesSpec;
    readonly kinds?: readonly { readonly group?: string; readonly kind: string }[];
  };
}

export interface SecretRefSpec {
  readonly group?: string;
  readonly kind?: string;
  readonly name: string;
  readonly namespace?: string;
}

/** As Kubernetes selects by labels: all of it must hold. */
export interface LabelSelectorSpec {
  readonly matchLabels?: Readonly<Record<string, string>>;
  readonly matchExpressions?: readonly {
    readonly key: string;
    readonly operator: string;
    readonly values?: readonly string[];
  }[];
}
