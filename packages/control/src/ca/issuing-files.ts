import { readFileSync } from "node:fs";
import { join } from "node:path";
import { messageOf, UserError } from "@weft/base/errors";
import { reasonOf } from "@weft/base/system-error";
import { type Certificate, parseCertificates } from "@weft/identity/certificate";
import {
  checkIssuer,
  checkRoot,
  IssuerError,
  type IssuerParts,
  type IssuerPath,
} from "@weft/identity/check-issuer";
import { type KeyPair, parsePrivateKey } from "@weft/identity/key-pair";
import type { TrustDomain } from "@weft/identity/spiffe-id";

/** The files of an authority that an operator brings. */
export interface IssuingFiles {
  /** The certificate that issues: an intermediate, or a root. */
  readonly certificate: string;
  readonly key: string;
  /** What leads from the certificate to the root. Absent: a root signed it. */
  readonly chain?: string;
  /** Every root the mesh is to trust. */
  readonly root: string;
}

export interface LoadedIssuer {
  readonly issuer: IssuerPath;
  /** Every root the mesh is to trust, the issuer's among them. */
  readonly roots: readonly Certificate[];
}

/** Istio's names for the files of its `cacerts` secret. */
export function cacertsFiles(directory: string): IssuingFiles {
  return {
    certificate: join(directory, "ca-cert.pem"),
    key: join(directory, "ca-key.pem"),
    chain: join(directory, "cert-chain.pem"),
    root: join(directory, "root-cert.pem"),
  };
}

const fileOf: Readonly<Record<keyof IssuerParts, keyof IssuingFiles>> = {
  certificate: "certificate",
  keys: "key",
  chain: "chain",
  roots: "root",
};
const hints: Readonly<Record<keyof IssuerParts, string>> = {
  certificate: "give a certificate authority for this mesh, with basicConstraints CA:TRUE and keyCertSign",
  keys: "give the key that the certificate was made for",
  chain: "give every certificate from the issuing one up to the root, in PEM",
  roots: "give the self-signed root the chain ends in, in PEM",
};

const maxFileCertificates = 16;

/** @throws UserError that names the file and what is wrong with it. */
export function loadIssuingFiles(files: IssuingFiles, trustDomain: TrustDomain, nowMs: number): LoadedIssuer {
  const roots = readCertificates(files.root);
  const [certificate, ...more] = readCertificates(files.certificate);
  const chain = files.chain === undefined ? [] : readCertificates(files.chain);
  const parts = { certificate: certificate!, keys: readKey(files.key), chain: [...more, ...chain], roots };
  try {
    return { issuer: checkIssuer(parts, trustDomain, nowMs), roots };
  } catch (error) {
    if (!(error instanceof IssuerError)) throw error;
    const file = files[fileOf[error.part]] ?? files.certificate;
    throw new UserError(`${file}: ${error.message}`, { hint: hints[error.part], exitCode: 2, cause: error });
  }
}

/** The roots of an authority elsewhere. @throws UserError */
export function loadRoots(file: string, trustDomain: TrustDomain, nowMs: number): readonly Certificate[] {
  const roots = readCertificates(file);
  try {
    for (const root of roots) checkRoot(root, trustDomain, nowMs);
    return roots;
  } catch (error) {
    if (!(error instanceof IssuerError)) throw error;
    throw new UserError(`${file}: ${error.message}`, { hint: hints.roots, exitCode: 2, cause: error });
  }
}

function readCertificates(file: string): Certificate[] {
  const text = read(file);
  try {
    return parseCertificates(text, maxFileCertificates);
  } catch (error) {
    throw new UserError(`${file}: ${messageOf(error)}`, {
      hint: "it must hold certificates in PEM and nothing else, as 'openssl x509 -in FILE' prints them",
      exitCode: 2,
      cause: error,
    });
  }
}

/** The error never repeats the text: it holds a key. */
function readKey(file: string): KeyPair {
  const text = read(file);
  try {
    return parsePrivateKey(text);
  } catch {
    throw new UserError(`${file}: this is no private key in PEM without a passphrase`, {
      hint: "decrypt it with 'openssl pkey -in FILE', and keep the file readable by its owner alone",
      exitCode: 2,
    });
  }
}

function read(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    throw new UserError(`${file}: ${reasonOf(error)}`, {
      hint: "name files that this user may read with --ca-cert, --ca-key, --ca-chain and --root-cert, or their folder with --cacerts",
      exitCode: 2,
      cause: error,
    });
  }
}
