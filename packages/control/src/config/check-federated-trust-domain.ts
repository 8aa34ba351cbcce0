import { messageOf } from "@weft/base/errors";
import { parseSpiffeBundle } from "@weft/identity/spiffe-bundle";
import {
  parseSpiffeId,
  parseTrustDomain,
  pathOf,
  type TrustDomain,
  trustDomainOf,
} from "@weft/identity/spiffe-id";
import type { Finding } from "./finding.ts";
import type { FederatedTrustDomainSpec } from "./security-specs.ts";

/** @see SPIFFE Federation §5.2 */
export function checkFederatedTrustDomain(spec: FederatedTrustDomainSpec, find: Finding): void {
  const { bundleEndpointProfile: profile, bundleEndpointURL: url, trustDomainBundle } = spec;
  const trustDomain = domainOf(spec, find);
  const urlProblem = bundleUrlProblem(url);
  if (urlProblem) find.error("W1105", "spec.bundleEndpointURL", `spec.bundleEndpointURL ${urlProblem}`);
  if (trustDomainBundle !== undefined && trustDomain) {
    try {
      parseSpiffeBundle(trustDomain, trustDomainBundle);
    } catch (error) {
      find.error(
        "W1105",
        "spec.trustDomainBundle",
        `spec.trustDomainBundle is no bundle: ${messageOf(error)}`,
      );
    }
  }
  const path = "spec.bundleEndpointProfile.endpointSPIFFEID";
  const { type, endpointSPIFFEID: id } = profile;
  if (type === "https_web") {
    if (id === undefined) return;
    const hint = "leave it out, or write type: https_spiffe";
    find.error("W1106", path, "https_web knows the endpoint by its host name, not by a SPIFFE ID", hint);
    return;
  }
  if (id === undefined) {
    find.error(
      "W1104",
      "spec.bundleEndpointProfile",
      "https_spiffe needs the endpoint's SPIFFE ID",
      `set ${path}`,
    );
    return;
  }
  const endpoint = endpointOf(id, path, find);
  if (endpoint !== undefined && endpoint === trustDomain && trustDomainBundle === undefined) {
    const hint = "'weft federation show -o bundle' there prints it; or use https_web";
    find.error(
      "W1104",
      "spec",
      "the first contact with this endpoint needs the bundle it serves: spec.trustDomainBundle",
      hint,
    );
  }
}

/** Why nothing may be fetched from there; undefined where it may. */
export function bundleUrlProblem(text: string): string | undefined {
  const url = URL.parse(text);
  if (url?.protocol !== "https:") return "is not an https:// URL";
  return url.username !== "" || url.password !== "" ? "holds a user or password" : undefined;
}

function domainOf({ trustDomain }: FederatedTrustDomainSpec, find: Finding): TrustDomain | undefined {
  try {
    return parseTrustDomain(trustDomain);
  } catch (error) {
    find.error("W1105", "spec.trustDomain", `spec.trustDomain: ${messageOf(error)}`);
    return undefined;
  }
}

function endpointOf(text: string, path: string, find: Finding): TrustDomain | undefined {
  try {
    const id = parseSpiffeId(text);
    if (pathOf(id) === "") throw new Error("it names a trust domain, not an endpoint");
    return trustDomainOf(id);
  } catch (error) {
    find.error("W1105", path, `${path}: ${messageOf(error)}`);
    return undefined;
  }
}
