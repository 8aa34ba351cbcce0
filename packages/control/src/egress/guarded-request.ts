import { lookup } from "node:dns";
import { type IncomingHttpHeaders, request as requestHttp } from "node:http";
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

export interface GuardedRequest extends TlsPeer {
  readonly guard: AddressGuard;
  /** What names networks, for messages. */
  readonly allowFlag: string;
  readonly signal: AbortSignal;
  readonly maxBytes: number;
  /** Not even to networks that were named is it sent without TLS. */
  readonly isTlsRequired?: boolean;
  /** Posted as this type; without it a GET. */
  readonly content?: { readonly type: string; readonly text: string };
  readonly headers?: Readonly<Record<string, string>>;
}

export interface GuardedAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
}

/**
 * One request to a URL that somebody else wrote: over TLS with a verified
 * certificate, to an address the guard allows, whichever name leads there. What
 * a name resolves to is checked and then connected to, so that it cannot change
 * in between. Plain HTTP is for networks an operator named. No redirect is followed.
 *
 * @throws Error that says why not, in words for an operator
 */
export async function guardedRequest(url: URL, options: GuardedRequest): Promise<GuardedAnswer> {
  const { guard, ca, identify, signal, isTlsRequired = false, allowFlag, content } = options;
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
      method: content ? "POST" : "GET",
      signal,
      lookup: guardedLookup(refusal),
      headers: {
        accept: "application/json",
        "user-agent": "weft",
        ...options.headers,
        ...(content && {
          "content-type": content.type,
          "content-length": String(Buffer.byteLength(content.text)),
        }),
      },
      agent: false,
      minVersion: "TLSv1.2",
      ...(ca ? { ca: [...ca] } : {}),
      ...(identify
        ? { checkServerIdentity: (_name: string, shown: PeerCertificate) => refusalOf(identify, shown) }
        : {}),
    });
    started.on("response", (response) => {
      const chunks: Buffer[] = [];
      let size = 0;
      const over = (result: GuardedAnswer | Error): void => {
        if (result instanceof Error) reject(result);
        else resolve(result);
        started.destroy();
      };
      response.on("data", (chunk: Buffer) => {
        size += chunk.length;
        if (size > options.maxBytes) over(new Error(`answered more than ${options.maxBytes} bytes`));
        else chunks.push(chunk);
      });
      response.on("end", () => {
        const { statusCode: status = 0, headers } = response;
        over({ status, headers, text: Buffer.concat(chunks).toString("utf8") });
      });
      response.on("error", over);
    });
    started.on("error", (error) => reject(new Error(messageOf(error), { cause: error })));
    started.end(content?.text);
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
