import { lookup } from "node:dns";
import { type ClientRequest, type IncomingMessage, request as requestHttp } from "node:http";
import { request as requestHttps } from "node:https";
import { isIP, type LookupFunction } from "node:net";
import type { DetailedPeerCertificate, PeerCertificate } from "node:tls";
import { messageOf } from "@weft/base/errors";
import { peerChain } from "@weft/identity/peer-chain";
import type { AddressGuard } from "./address-guard.ts";

/** How the other end of TLS is recognised; by a certificate for its name where nothing is said. */
export interface TlsPeer {
  /** PEM, in place of the roots that Node trusts. */
  readonly ca?: readonly string[];
  /** Judges the chain, leaf first, in place of the name: why it is not the one, or undefined. */
  readonly identify?: (chain: readonly Buffer[]) => string | undefined;
}

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

function get(url: URL, options: FetchOptions & { readonly signal: AbortSignal }): Promise<Answer> {
  const { guard, ca, identify, signal, isTlsRequired = false, allowFlag = "--jwks-allow" } = options;
  const isSecure = url.protocol === "https:";
  if (!isSecure && (url.protocol !== "http:" || isTlsRequired))
    throw new Error(`${url.protocol} is not fetched`);
  if (url.username !== "" || url.password !== "") throw new Error("the URL holds a password");
  const refusal = (address: string): string | undefined => {
    if (!guard.isAllowed(address)) return `${address} is not a public address; allow it with ${allowFlag}`;
    if (!isSecure && !guard.isNamed(address))
      return `plain HTTP to ${address}, where anyone on the way could answer; use https, or ${allowFlag}`;
    return undefined;
  };
  const host = url.hostname.replace(/^\[|\]$/g, "");
  const direct = isIP(host) ? refusal(host) : undefined;
  if (direct) throw new Error(direct);
  return new Promise((resolve, reject) => {
    const started = (isSecure ? requestHttps : requestHttp)(url, {
      signal,
      lookup: guardedLookup(refusal),
      headers: { accept: "application/json", "user-agent": "weft" },
      agent: false,
      minVersion: "TLSv1.2",
      ...(ca ? { ca: [...ca] } : {}),
      ...(identify
        ? { checkServerIdentity: (_name: string, shown: PeerCertificate) => refusalOf(identify, shown) }
        : {}),
    });
    started.on("response", (response) => void read(response, started, resolve, reject));
    started.on("error", (error) => reject(new Error(messageOf(error), { cause: error })));
    started.end();
  });
}

function refusalOf(identify: NonNullable<TlsPeer["identify"]>, shown: PeerCertificate): Error | undefined {
  // Node hands over the whole chain, whatever the type says.
  const chain = peerChain({ getPeerCertificate: () => shown as DetailedPeerCertificate });
  const problem = identify(chain);
  return problem === undefined ? undefined : new Error(problem);
}

/** Resolves as usual, and fails where any of a name's addresses is refused: one good among bad ones is a trap. */
function guardedLookup(refusal: (address: string) => string | undefined): LookupFunction {
  return (hostname, options, callback) => {
    lookup(hostname, { ...options, all: true }, (error, addresses) => {
      if (error) return callback(error, []);
      for (const { address } of addresses) {
        const problem = refusal(address);
        if (problem) return callback(new Error(`${hostname} is ${problem}`), []);
      }
      const [first] = addresses;
      if (options.all) callback(null, addresses);
      else callback(null, first!.address, first!.family);
    });
  };
}

function read(
  response: IncomingMessage,
  request: ClientRequest,
  resolve: (answer: Answer) => void,
  reject: (error: Error) => void,
): void {
  const { statusCode = 0, headers } = response;
  const give = (answer: Answer | Error): void => {
    if (answer instanceof Error) reject(answer);
    else resolve(answer);
    request.destroy();
  };
  if (redirects.has(statusCode)) {
    const { location } = headers;
    give(location === undefined ? new Error("redirected nowhere") : { location });
  } else if (statusCode !== 200) give(new Error(`answered ${statusCode}`));
  else {
    const chunks: Buffer[] = [];
    let size = 0;
    response.on("data", (chunk: Buffer) => {
      size += chunk.length;
      if (size > maxBytes) give(new Error(`answered more than ${maxBytes} bytes`));
      else chunks.push(chunk);
    });
    response.on("end", () => give(Buffer.concat(chunks).toString("utf8")));
    response.on("error", give);
  }
}
