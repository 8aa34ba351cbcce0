import { messageOf } from "@weft/base/errors";
import type { TrustDomain } from "@weft/identity/spiffe-id";
import { workloadSpiffeId } from "@weft/identity/workload-id";
import type { AuthenticatedCaller } from "../authenticated-caller.ts";
import type { CaLog } from "../ca-log.ts";
import { CertificateRefusal } from "../certificate-request.ts";
import type { BoundPod, ReviewVerdict } from "./judge-review.ts";
import type { ReviewToken } from "./token-reviewer.ts";

/** Reviews under way at most: the API server is everybody's. */
const maxReviews = 32;
/** Of one address, where many pods start at once behind it. */
const maxReviewsOfAddress = 8;

/** By what right a pod's certificates are issued: begins with this in the audit log. */
export const podRight = "kubernetes pod ";

/** Callers that show a Kubernetes service-account token, as the API server knows them. */
export class ServiceAccountCallers {
  readonly #review: ReviewToken;
  readonly #trustDomain: TrustDomain;
  readonly #log: CaLog;
  readonly #underWay = new Map<string, number>();
  #reviews = 0;

  constructor(options: {
    readonly review: ReviewToken;
    readonly trustDomain: TrustDomain;
    readonly log: CaLog;
  }) {
    this.#review = options.review;
    this.#trustDomain = options.trustDomain;
    this.#log = options.log;
  }

  /**
   * @param refuse told why a token is no good; what the caller is answered
   * @throws CertificateRefusal
   */
  async authenticate(
    token: string,
    address: string,
    refuse: (fault: string) => CertificateRefusal,
  ): Promise<AuthenticatedCaller> {
    const verdict = await this.#reviewOnce(token, address);
    if (!verdict.isGood) throw refuse(verdict.fault);
    try {
      return this.#callerOf(verdict.bound);
    } catch (error) {
      throw refuse(messageOf(error));
    }
  }

  async #reviewOnce(token: string, address: string): Promise<ReviewVerdict> {
    const ofAddress = this.#underWay.get(address) ?? 0;
    if (this.#reviews >= maxReviews || ofAddress >= maxReviewsOfAddress) {
      throw new CertificateRefusal("unavailable", "too many tokens are being reviewed; try again");
    }
    this.#reviews += 1;
    this.#underWay.set(address, ofAddress + 1);
    try {
      return await this.#review(token);
    } catch (error) {
      this.#log.error({ address }, `a service-account token was not reviewed: ${messageOf(error)}`);
      throw new CertificateRefusal(
        "unavailable",
        "the Kubernetes API server cannot be asked about the token at the moment",
      );
    } finally {
      this.#reviews -= 1;
      const left = this.#underWay.get(address)! - 1;
      if (left > 0) this.#underWay.set(address, left);
      else this.#underWay.delete(address);
    }
  }

  #callerOf({ namespace, serviceAccount, pod, podUid }: BoundPod): AuthenticatedCaller {
    const identity = workloadSpiffeId(this.#trustDomain, namespace, serviceAccount);
    return { identity, authorizedBy: `${podRight}${namespace}/${pod} ${podUid}` };
  }
}
