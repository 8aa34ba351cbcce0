import { execFileSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const config = `[ca]
default_ca = own
[own]
database = index.txt
crlnumber = crlnumber
default_md = sha256
default_crl_days = 30
`;

/**
 * An authority with a list of what it has revoked, made by openssl in a folder
 * of its own: `ca.pem`, `ca.crl`, and `NAME.pem` with `NAME.key` for each name.
 */
export class RevokingCa {
  readonly folder: string;

  /** @param names DNS names, each of which gets a certificate; `ca.crl` revokes none of them */
  constructor(folder: string, names: readonly string[]) {
    this.folder = folder;
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, "openssl.cnf"), config);
    writeFileSync(join(folder, "index.txt"), "");
    writeFileSync(join(folder, "crlnumber"), "01\n");
    this.#certify("ca", "basicConstraints=critical,CA:true", "keyUsage=critical,keyCertSign,cRLSign");
    for (const name of names) {
      this.#certify(name, "basicConstraints=critical,CA:false", `subjectAltName=DNS:${name}`);
    }
    this.#writeList();
  }

  /** What is in this folder. */
  file(name: string): string {
    return join(this.folder, name);
  }

  /** Writes a new `ca.crl` with this name's certificate on it. */
  revoke(name: string): void {
    this.#openssl("ca", ...this.#own, "-revoke", `${name}.pem`);
    this.#writeList();
  }

  #certify(name: string, ...extensions: readonly string[]): void {
    const issuer = name === "ca" ? [] : ["-CA", "ca.pem", "-CAkey", "ca.key"];
    const added = extensions.flatMap((extension) => ["-addext", extension]);
    this.#openssl(
      ...["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-noenc", "-days", "30"],
      ...["-subj", `/CN=${name}`, "-keyout", `${name}.key`, "-out", `${name}.pem`, ...issuer, ...added],
    );
  }

  #writeList(): void {
    this.#openssl("ca", ...this.#own, "-gencrl", "-out", "ca.crl");
  }

  readonly #own = ["-config", "openssl.cnf", "-cert", "ca.pem", "-keyfile", "ca.key"];

  #openssl(...args: readonly string[]): void {
    execFileSync("openssl", args, { cwd: this.folder, stdio: ["ignore", "ignore", "pipe"] });
  }
}
