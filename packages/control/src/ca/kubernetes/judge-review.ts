/** The pod and the service account that a token was made for, as the API server said. */
export interface BoundPod {
  readonly namespace: string;
  readonly serviceAccount: string;
  readonly pod: string;
  readonly podUid: string;
}

/** What a token proves; `fault` is for the operator's log: callers are not told. */
export type ReviewVerdict =
  | { readonly isGood: true; readonly bound: BoundPod }
  | { readonly isGood: false; readonly fault: string };

const podName = "authentication.kubernetes.io/pod-name";
const podUid = "authentication.kubernetes.io/pod-uid";
/** What another says is kept up to here. */
const maxTextLength = 200;

/**
 * Decides what the answer to a TokenReview proves. Only a token for `audience`,
 * of a service account, that is bound to a pod which is there is good. The API
 * server says who; that it is of the service accounts' own groups shows that no
 * other authenticator chose the name.
 *
 * @see authentication.k8s.io/v1 TokenReview
 * @throws Error when it is no such answer
 */
export function judgeReview(answer: unknown, audience: string): ReviewVerdict {
  const status = fieldsOf(fieldsOf(answer)?.status);
  if (!status) throw new Error("the answer is no TokenReview");
  if (status.authenticated !== true) return bad(`not authenticated: ${textOf(status.error) || "no reason"}`);
  // An API server that does not know of audiences says none, and has not looked at the token's.
  if (!textsOf(status.audiences).includes(audience)) return bad(`it is not for the audience ${audience}`);
  const user = fieldsOf(status.user);
  const name = textOf(user?.username);
  const [system, kind, namespace, serviceAccount, ...rest] = name.split(":");
  const isAccount = system === "system" && kind === "serviceaccount" && rest.length === 0;
  if (!isAccount || !namespace || !serviceAccount) return bad(`${name || "it"} is no service account`);
  const groups = textsOf(user?.groups);
  if (!["system:serviceaccounts", `system:serviceaccounts:${namespace}`].every((one) => groups.includes(one)))
    return bad(`${name} is not of the groups of service accounts`);
  const extra = fieldsOf(user?.extra);
  const [pod, ...otherPods] = textsOf(extra?.[podName]);
  const [uid, ...otherUids] = textsOf(extra?.[podUid]);
  if (!pod || !uid || otherPods.length > 0 || otherUids.length > 0) return bad("it is not bound to a pod");
  return { isGood: true, bound: { namespace, serviceAccount, pod, podUid: uid } };
}

function bad(fault: string): ReviewVerdict {
  return { isGood: false, fault };
}

function fieldsOf(value: unknown): Record<string, unknown> | undefined {
  const isFields = typeof value === "object" && value !== null && !Array.isArray(value);
  return isFields ? (value as Record<string, unknown>) : undefined;
}

function textOf(value: unknown): string {
  return typeof value === "string" ? value.slice(0, maxTextLength) : "";
}

function textsOf(value: unknown): readonly string[] {
  return Array.isArray(value) ? value.filter((one) => typeof one === "string") : [];
}
