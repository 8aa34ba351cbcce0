import { request } from "node:https";
import { messageOf } from "@weft/base/errors";
import { type ClusterAccess, readClusterAccess } from "./cluster-access.ts";
import { judgeReview, type ReviewVerdict } from "./judge-review.ts";

/** Which cluster's service accounts may join, as an operator says it. */
export interface ServiceAccountOptions {
  /** A kubeconfig, or `in-cluster`. */
  readonly cluster: string;
  /** What tokens must be made for, and nothing else is. */
  readonly audience: string;
  /** `NAMESPACE/SERVICE-ACCOUNT` of those that may be gateways. */
  readonly gateways: readonly string[];
}

/** Asks what a token proves. Rejects when nobody could say: the caller may try again. */
export type ReviewToken = (token: string) => Promise<ReviewVerdict>;

const timeoutMs = 5_000;
const maxAnswerBytes = 64 << 10;

/**
 * Has service-account tokens reviewed by the Kubernetes API server, one POST
 * for each. Nothing is remembered: a token whose pod has been deleted since is
 * refused with the next request.
 *
 * @see authentication.k8s.io/v1 TokenReview
 * @throws UserError for options that cannot work
 */
export function tokenReviewer({ cluster, audience }: ServiceAccountOptions): ReviewToken {
  const access = readClusterAccess(cluster);
  const url = new URL(access.url);
  url.pathname = `${url.pathname.replace(/\/$/, "")}/apis/authentication.k8s.io/v1/tokenreviews`;
  return async (token) => {
    const body = JSON.stringify({
      apiVersion: "authentication.k8s.io/v1",
      kind: "TokenReview",
      spec: { token, audiences: [audience] },
    });
    const { status, text } = await post(url, body, access);
    if (status !== 200 && status !== 201)
      throw new Error(`the API server answered ${status}${problemIn(text)}`);
    return judgeReview(JSON.parse(text), audience);
  };
}

function post(
  url: URL,
  body: string,
  access: ClusterAccess,
): Promise<{ readonly status: number; readonly text: string }> {
  const { ca, cert, key, serverName, authorization } = access.credentials();
  return new Promise((resolve, reject) => {
    const sent = request(
      url,
      {
        method: "POST",
        agent: false,
        ca,
        cert,
        key,
        ...(serverName !== undefined && { servername: serverName }),
        minVersion: "TLSv1.2",
        signal: AbortSignal.timeout(timeoutMs),
        headers: {
          accept: "application/json",
          "content-type": "application/json",
          "content-length": Buffer.byteLength(body),
          "user-agent": "weft",
          ...(authorization !== undefined && { authorization }),
        },
      },
      (response) => {
        const chunks: Buffer[] = [];
        let size = 0;
        response.on("data", (chunk: Buffer) => {
          size += chunk.length;
          if (size > maxAnswerBytes) response.destroy(new Error("the API server's answer is too long"));
          else chunks.push(chunk);
        });
        response.on("error", reject);
        response.on("end", () =>
          resolve({ status: response.statusCode ?? 0, text: Buffer.concat(chunks).toString("utf8") }),
        );
      },
    );
    sent.on("error", (error) => reject(new Error(`${url.host}: ${reasonOf(error)}`, { cause: error })));
    sent.end(body);
  });
}

function reasonOf(error: Error): string {
  return error.name === "TimeoutError" || error.name === "AbortError"
    ? `no answer within ${timeoutMs / 1000} s`
    : messageOf(error);
}

/** The message of a Kubernetes Status, which never repeats the token. */
function problemIn(text: string): string {
  try {
    const { message } = JSON.parse(text) as { readonly message?: unknown };
    return typeof message === "string" ? `: ${message.slice(0, 300)}` : "";
  } catch {
    return "";
  }
}
