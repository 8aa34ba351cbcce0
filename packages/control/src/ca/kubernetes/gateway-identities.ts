import { messageOf, UserError } from "@weft/base/errors";
import type { SpiffeId, TrustDomain } from "@weft/identity/spiffe-id";
import { workloadSpiffeId } from "@weft/identity/workload-id";
import type { ServiceAccountOptions } from "./token-reviewer.ts";

/** The identities whose pods may be gateways. @throws UserError for what names no service account */
export function gatewayIdentities(
  { gateways }: ServiceAccountOptions,
  trustDomain: TrustDomain,
): readonly SpiffeId[] {
  return gateways.map((text) => {
    const [namespace = "", serviceAccount = "", ...rest] = text.split("/");
    try {
      if (rest.length > 0) throw new Error("it has more than two parts");
      return workloadSpiffeId(trustDomain, namespace, serviceAccount);
    } catch (cause) {
      throw new UserError(`--gateway-service-account ${text}: ${messageOf(cause)}`, {
        hint: "write it as NAMESPACE/SERVICE-ACCOUNT",
        exitCode: 2,
        cause,
      });
    }
  });
}
