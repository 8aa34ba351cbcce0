import type { AddressGuard } from "../egress/address-guard.ts";
import { guardedRequest, type TlsPeer } from "../egress/guarded-request.ts";

export interface FetchOptions extends TlsPeer {
  readonly guard: AddressGuard;
  /** For all of it: names, connections, redirects, bodies. */
  readonly timeoutMs: number;
  readonly signal?: AbortSignal;
  /** Not even from networks that were named is it fetched without TLS. */
  readonly isTlsRequired?: boolean;
  /** What names networks, for messages. Default `--jwks-allow`. */
  readonly allowFlag?: string;
}

/** More is no key set. */
const maxBytes = 1 << 20;
const maxRedirects = 3;
const redirects: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);

/**
 * Fetches a document that is to be believed: over TLS with a verified
 * certificate, from an address the guard allows, whichever name or redirect
 * leads there. What a name resolves to is checked and then connected to, so that
 * it cannot change in between. Plain HTTP is for networks an operator named.
 *
 * @throws Error that says why not, in words for an operator
 */
export async function fetchDocument(url: string, options: FetchOptions): Promise<string> {
  const timeout = AbortSignal.timeout(options.timeoutMs);
  const signal = options.signal ? AbortSignal.any([timeout, options.signal]) : timeout;
  let next = new URL(url);
  for (let hops = 0; ; hops += 1) {
    const answer = await get(next, { ...options, signal }).catch((error: unknown) => {
      if (timeout.aborted) throw new Error(`no answer within ${options.timeoutMs} ms`, { cause: error });
      throw error;
    });
    if (typeof answer === "string") return answer;
    if (hops === maxRedirects) throw new Error(`more than ${maxRedirects} redirects`);
    if (!URL.canParse(answer.location, next.href)) throw new Error("redirected to what is no URL");
    const target = new URL(answer.location, next);
    if (next.protocol === "https:" && target.protocol !== "https:") {
      throw new Error(`redirected from https to ${target.protocol.slice(0, -1)}`);
    }
    next = target;
  }
}

type Answer = string | { readonly location: string };

async function get(url: URL, options: FetchOptions & { readonly signal: AbortSignal }): Promise<Answer> {
  const { status, headers, text } = await guardedRequest(url, {
    ...options,
    allowFlag: options.allowFlag ?? "--jwks-allow",
    maxBytes,
  });
  if (redirects.has(status)) {
    if (headers.location === undefined) throw new Error("redirected nowhere");
    return { location: headers.location };
  }
  if (status !== 200) throw new Error(`answered ${status}`);
  return text;
}
