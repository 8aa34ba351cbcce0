import { randomUUID, sign } from "node:crypto";
import { readFileSync } from "node:fs";
import { Agent, request } from "node:https";
import type { Clock } from "@weft/base/clock";
import { messageOf, UserError } from "@weft/base/errors";
import { reasonOf } from "@weft/base/system-error";
import { type Certificate, parseCertificates } from "@weft/identity/certificate";
import { isIssuedBy } from "@weft/identity/complete-chain";
import { jwtKeyId } from "@weft/identity/jwt-svid";
import { type KeyPair, parsePrivateKey } from "@weft/identity/key-pair";
import type { Signer, SignRequest } from "./signer.ts";

/** A step-ca that signs for the mesh, as the operator names it. */
export interface StepCaOptions {
  /** `https://HOST:PORT`. */
  readonly url: string;
  /** Name of a JWK provisioner that may issue for the trust domain's IDs. */
  readonly provisioner: string;
  /** File of the provisioner's private key: ECDSA P-256 in PEM, without a passphrase. */
  readonly key: string;
  /** File of the roots the mesh trusts; the one that step-ca's certificates lead to is first. */
  readonly root: string;
}

const timeoutMs = 10_000;
const maxAnswerBytes = 256 << 10;
/** How long a one-time token holds. */
const tokenSeconds = 60;

/**
 * Has certificates signed by a step-ca (https://smallstep.com/docs/step-ca) over
 * its `/1.0/sign`, authorised by one-time tokens of a JWK provisioner. The names
 * in the token are those that were decided here, and step-ca refuses a request
 * with any other. Its own certificate must lead to a root of the mesh.
 *
 * @throws UserError for options that cannot work
 */
export function stepCaSigner(options: StepCaOptions, roots: readonly Certificate[], clock: Clock): Signer {
  const base = readUrl(options.url);
  const keys = readKey(options.key);
  const agent = new Agent({ keepAlive: true, maxSockets: 8, ca: roots.map(({ pem }) => pem) });
  const audience = new URL("/1.0/sign", base).href;
  return {
    async sign(asked) {
      const body = JSON.stringify({
        csr: asked.csrPem,
        ott: oneTimeToken(asked, { keys, audience, issuer: options.provisioner, nowMs: clock.now() }),
        notAfter: new Date(asked.notAfterMs).toISOString(),
      });
      const { status, text } = await post(audience, body, agent);
      if (status !== 201 && status !== 200) throw new Error(`step-ca answered ${status}: ${problemIn(text)}`);
      return withRoot(readChain(text), roots);
    },
  };
}

function oneTimeToken(
  { spiffeId, dnsNames = [] }: SignRequest,
  by: { readonly keys: KeyPair; readonly audience: string; readonly issuer: string; readonly nowMs: number },
): string {
  const nowS = Math.floor(by.nowMs / 1000);
  const header = { alg: "ES256", kid: jwtKeyId(by.keys.privateKey), typ: "JWT" };
  const payload = {
    iss: by.issuer,
    aud: by.audience,
    sub: spiffeId,
    sans: [spiffeId, ...dnsNames],
    nbf: nowS,
    iat: nowS,
    exp: nowS + tokenSeconds,
    jti: randomUUID(),
  };
  const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const signed = `${encode(header)}.${encode(payload)}`;
  const key = { key: by.keys.privateKey, dsaEncoding: "ieee-p1363" as const };
  return `${signed}.${sign("sha256", Buffer.from(signed), key).toString("base64url")}`;
}

function post(
  url: string,
  body: string,
  agent: Agent,
): Promise<{ readonly status: number; readonly text: string }> {
  return new Promise((resolve, reject) => {
    const headers = { "content-type": "application/json", "content-length": Buffer.byteLength(body) };
    const sent = request(url, { method: "POST", agent, headers, timeout: timeoutMs }, (response) => {
      const chunks: Buffer[] = [];
      let size = 0;
      response.on("data", (chunk: Buffer) => {
        size += chunk.length;
        if (size > maxAnswerBytes) response.destroy(new Error("step-ca's answer is too long"));
        else chunks.push(chunk);
      });
      response.on("error", reject);
      response.on("end", () =>
        resolve({ status: response.statusCode ?? 0, text: Buffer.concat(chunks).toString("utf8") }),
      );
    });
    sent.on("timeout", () => sent.destroy(new Error(`step-ca did not answer within ${timeoutMs} ms`)));
    sent.on("error", (error) => reject(new Error(`step-ca: ${messageOf(error)}`, { cause: error })));
    sent.end(body);
  });
}

/** What it says of itself, bounded: it goes to a log. */
function problemIn(text: string): string {
  try {
    const { message, error } = JSON.parse(text) as { message?: unknown; error?: unknown };
    return String(message ?? error ?? "").slice(0, 500);
  } catch {
    return text.slice(0, 200);
  }
}

/** Leaf first. */
function readChain(text: string): Certificate[] {
  const { certChain, crt, ca } = JSON.parse(text) as { certChain?: unknown; crt?: unknown; ca?: unknown };
  const pems = Array.isArray(certChain) && certChain.length > 0 ? certChain : [crt, ca];
  return parseCertificates(pems.map(String).join("\n"));
}

function withRoot(chain: readonly Certificate[], roots: readonly Certificate[]): readonly Certificate[] {
  const last = chain.at(-1)!;
  const root = roots.find((candidate) => candidate.pem !== last.pem && isIssuedBy(last, candidate));
  return root ? [...chain, root] : chain;
}

function readUrl(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url?.protocol === "https:" && url.pathname === "/" && url.username === "") return url;
  throw new UserError(`--step-ca ${text}: this is no https URL of a host`, {
    hint: "write it as https://ca.internal:9000",
    exitCode: 2,
  });
}

/** The error never repeats the text: it holds a key. */
function readKey(file: string): KeyPair {
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (cause) {
    throw new UserError(`--step-ca-key ${file}: ${reasonOf(cause)}`, {
      hint: "name the file of the provisioner's private key",
      exitCode: 2,
      cause,
    });
  }
  const hint = "write it with 'step crypto key format --pem', and decrypt it with 'openssl pkey -in FILE'";
  try {
    const keys = parsePrivateKey(text);
    if (keys.privateKey.asymmetricKeyDetails?.namedCurve === "prime256v1") return keys;
  } catch {
    // As any other file that holds no such key.
  }
  throw new UserError(`--step-ca-key ${file}: this is no ECDSA P-256 key in PEM without a passphrase`, {
    hint,
    exitCode: 2,
  });
}
