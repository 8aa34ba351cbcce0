import { X509Certificate } from "node:crypto";
import { UserError } from "@weft/base/errors";
import { parseCertificate } from "@weft/identity/certificate";
import type { Role } from "../api/role.ts";
import type { NamedRole } from "./access-file.ts";
import { roleOfNames } from "./strongest-role.ts";

/** Who a certificate says it is, and what that allows; no role: nobody said so. */
export interface CertificateHolder {
  readonly name: string;
  readonly role: Role | undefined;
}

/** So many links are looked at: nobody's authority has more. */
const maxChain = 8;
const clientAuthentication = "1.3.6.1.5.5.7.3.2";

/**
 * Operators known by certificates of an authority that is not the mesh's. The
 * chain is verified here, link by link, to one of that authority's roots: what
 * another authority may vouch for in the same TLS listener counts for nothing.
 */
export class CertificateAccess {
  readonly #roots: readonly X509Certificate[];
  readonly #roles: readonly NamedRole[];

  /** @throws UserError for what are no certificates */
  constructor(caPem: string, roles: readonly NamedRole[]) {
    const blocks = caPem.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
    try {
      this.#roots = blocks.map((pem) => new X509Certificate(pem));
    } catch (error) {
      throw new UserError("certificates.ca of --api-users holds what is no certificate", { cause: error });
    }
    if (this.#roots.length === 0) {
      throw new UserError("certificates.ca of --api-users holds no certificate", {
        hint: "it is a PEM file with the roots of the operators' certificates",
        exitCode: 2,
      });
    }
    this.#roles = roles;
  }

  /** Undefined where the chain is not this authority's. @throws Error for one that is, and does not hold */
  holderOf(chain: readonly Buffer[], nowMs: number): CertificateHolder | undefined {
    const path = this.#pathOf(chain.slice(0, maxChain).map((der) => new X509Certificate(der)));
    if (!path) return undefined;
    const expired = path.find(
      ({ validFromDate, validToDate }) => validFromDate.getTime() > nowMs || validToDate.getTime() < nowMs,
    );
    if (expired) throw new Error("it, or its authority, is not valid now");
    const [leaf] = path;
    if (parseCertificate(leaf!.raw).facts.isCa)
      throw new Error("it is the certificate of an authority, not of an operator");
    const usages = leaf!.keyUsage as readonly string[] | undefined;
    if (usages && !usages.includes(clientAuthentication)) throw new Error("it is not for clients");
    const names = namesOf(leaf!);
    const [name] = names;
    if (name === undefined) throw new Error("it names nobody");
    return { name, role: roleOfNames(names, this.#roles) };
  }

  /** From the leaf to a root of ours, each signed by the next; undefined where there is no such path. */
  #pathOf(chain: readonly X509Certificate[]): readonly X509Certificate[] | undefined {
    const path: X509Certificate[] = [];
    for (const certificate of chain) {
      const last = path.at(-1);
      if (last && !(certificate.ca && isSignedBy(last, certificate))) return undefined;
      path.push(certificate);
      const root = this.#roots.find((one) => isSignedBy(certificate, one));
      if (root) return [...path, root];
    }
    return undefined;
  }
}

function isSignedBy(certificate: X509Certificate, issuer: X509Certificate): boolean {
  return certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey);
}

/** URIs, DNS names and mail addresses, then the subject's common name as `CN=…`. */
function namesOf(certificate: X509Certificate): readonly string[] {
  // Node gives undefined for what a certificate has none of, whatever its types say.
  const { subjectAltName = "", subject = "" } = certificate as Partial<X509Certificate>;
  const alternatives = subjectAltName.split(", ").flatMap((entry) => {
    const [, name] = /^(?:URI|DNS|email):([^"]+)$/.exec(entry) ?? [];
    return name === undefined ? [] : [name];
  });
  const common = subject.split("\n").filter((line) => line.startsWith("CN="));
  return [...alternatives, ...common];
}
