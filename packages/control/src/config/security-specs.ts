/** The specs of policies, and of other trust domains, as they are written. */

export type MtlsMode = "UNSET" | "DISABLE" | "PERMISSIVE" | "STRICT";

export interface PeerAuthenticationSpec {
  readonly selector?: { readonly matchLabels?: Readonly<Record<string, string>> };
  readonly mtls?: { readonly mode?: MtlsMode };
  readonly portLevelMtls?: Readonly<Record<string, { readonly mode?: MtlsMode }>>;
}

/** One resource that a policy is attached to. */
export interface TargetReferenceSpec {
  readonly group?: string;
  readonly kind: string;
  readonly name: string;
  readonly namespace?: string;
}

/** Which workloads a policy is for: all of its namespace where nothing is said. */
export interface PolicyTargetSpec {
  readonly selector?: { readonly matchLabels?: Readonly<Record<string, string>> };
  /** What `targetRefs` replaced. */
  readonly targetRef?: TargetReferenceSpec;
  readonly targetRefs?: readonly TargetReferenceSpec[];
}

export interface RequestAuthenticationSpec extends PolicyTargetSpec {
  readonly jwtRules?: readonly JwtRuleSpec[];
}

export interface JwtRuleSpec {
  readonly issuer?: string;
  readonly audiences?: readonly string[];
  readonly jwks?: string;
  readonly jwksUri?: string;
  /** The older spelling of `jwksUri`. */
  readonly jwks_uri?: string;
  readonly fromHeaders?: readonly { readonly name: string; readonly prefix?: string }[];
  readonly fromParams?: readonly string[];
  readonly fromCookies?: readonly string[];
  readonly outputPayloadToHeader?: string;
  readonly outputClaimToHeaders?: readonly { readonly header: string; readonly claim: string }[];
  readonly forwardOriginalToken?: boolean;
  readonly timeout?: string;
  readonly spaceDelimitedClaims?: readonly string[];
}

export interface AuthorizationPolicySpec extends PolicyTargetSpec {
  readonly action?: "ALLOW" | "DENY" | "AUDIT" | "CUSTOM";
  readonly provider?: { readonly name?: string };
  readonly rules?: readonly AuthorizationRuleSpec[];
}

export interface AuthorizationRuleSpec {
  readonly from?: readonly { readonly source?: SourceSpec }[];
  readonly to?: readonly { readonly operation?: OperationSpec }[];
  readonly when?: readonly ConditionSpec[];
}

export interface SourceSpec {
  readonly principals?: readonly string[];
  readonly notPrincipals?: readonly string[];
  /** End users, `issuer/subject`. */
  readonly requestPrincipals?: readonly string[];
  readonly notRequestPrincipals?: readonly string[];
  readonly namespaces?: readonly string[];
  readonly notNamespaces?: readonly string[];
  readonly serviceAccounts?: readonly string[];
  readonly notServiceAccounts?: readonly string[];
  readonly trustDomains?: readonly string[];
  readonly notTrustDomains?: readonly string[];
  readonly ipBlocks?: readonly string[];
  readonly notIpBlocks?: readonly string[];
  readonly remoteIpBlocks?: readonly string[];
  readonly notRemoteIpBlocks?: readonly string[];
}

export interface OperationSpec {
  readonly hosts?: readonly string[];
  readonly notHosts?: readonly string[];
  readonly ports?: readonly string[];
  readonly notPorts?: readonly string[];
  readonly methods?: readonly string[];
  readonly notMethods?: readonly string[];
  readonly paths?: readonly string[];
  readonly notPaths?: readonly string[];
}

export interface ConditionSpec {
  readonly key: string;
  readonly values?: readonly string[];
  readonly notValues?: readonly string[];
}

/** As spire-controller-manager's. */
export interface FederatedTrustDomainSpec {
  readonly trustDomain: string;
  readonly bundleEndpointURL: string;
  readonly bundleEndpointProfile: {
    readonly type: "https_spiffe" | "https_web";
    readonly endpointSPIFFEID?: string;
  };
  /** A bundle document to begin with. */
  readonly trustDomainBundle?: string;
}
