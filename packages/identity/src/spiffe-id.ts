/**
 * A SPIFFE ID that obeys the standard to the letter. Only `parseSpiffeId` and
 * what is built on it make one, so a value of this type needs no more checks.
 *
 * @see https://github.com/spiffe/spiffe/blob/main/standards/SPIFFE-ID.md
 */
export type SpiffeId = string & { readonly __brand: "SpiffeId" };

/** The name of a trust domain, lower-case, without scheme. */
export type TrustDomain = string & { readonly __brand: "TrustDomain" };

/** Text that is not a SPIFFE ID, or not one of a workload; the message says which rule it breaks. */
export class SpiffeIdError extends Error {
  override readonly name = "SpiffeIdError";
}

const scheme = "spiffe://";
const maxIdBytes = 2048;
const maxTrustDomainBytes = 255;
const trustDomainPattern = /^[a-z0-9._-]+$/;
const segmentPattern = /^[A-Za-z0-9._-]+$/;

/** @throws SpiffeIdError */
export function parseSpiffeId(text: string): SpiffeId {
  if (text.length > maxIdBytes) throw new SpiffeIdError(`a SPIFFE ID is at most ${maxIdBytes} bytes long`);
  if (!text.startsWith(scheme)) throw new SpiffeIdError(`${quote(text)} does not start with ${scheme}`);
  const slash = text.indexOf("/", scheme.length);
  parseTrustDomain(slash < 0 ? text.slice(scheme.length) : text.slice(scheme.length, slash));
  if (slash >= 0) {
    for (const segment of text.slice(slash + 1).split("/")) checkSegment(segment, text);
  }
  return text as SpiffeId;
}

/** @throws SpiffeIdError */
export function parseTrustDomain(text: string): TrustDomain {
  if (text === "") throw new SpiffeIdError("the trust domain is empty");
  if (text.length > maxTrustDomainBytes) {
    throw new SpiffeIdError(`a trust domain is at most ${maxTrustDomainBytes} bytes long`);
  }
  if (!trustDomainPattern.test(text)) {
    throw new SpiffeIdError(
      `${quote(text)} is not a trust domain: only lower-case letters, digits, ".", "-" and "_" are allowed`,
    );
  }
  return text as TrustDomain;
}

function checkSegment(segment: string, id: string): void {
  if (segment === "") throw new SpiffeIdError(`${quote(id)} has an empty path segment`);
  if (segment === "." || segment === "..") {
    throw new SpiffeIdError(`${quote(id)} has the path segment "${segment}"`);
  }
  if (!segmentPattern.test(segment)) {
    throw new SpiffeIdError(
      `${quote(id)} has a path segment with other than letters, digits, ".", "-" and "_"`,
    );
  }
}

export function trustDomainOf(id: SpiffeId): TrustDomain {
  const slash = id.indexOf("/", scheme.length);
  return (slash < 0 ? id.slice(scheme.length) : id.slice(scheme.length, slash)) as TrustDomain;
}

/** With its leading slash; "" for the ID of a trust domain itself. */
export function pathOf(id: SpiffeId): string {
  const slash = id.indexOf("/", scheme.length);
  return slash < 0 ? "" : id.slice(slash);
}

/** The ID of the trust domain itself, which its signing certificates carry. */
export function trustDomainId(trustDomain: TrustDomain): SpiffeId {
  return `${scheme}${trustDomain}` as SpiffeId;
}

/** At most 80 characters, control characters escaped: for error messages about what others sent. */
function quote(text: string): string {
  return JSON.stringify(text.length > 80 ? `${text.slice(0, 77)}...` : text);
}
