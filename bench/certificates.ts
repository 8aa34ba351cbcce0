import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";

/** Writes `ca.pem`, and `client` and `server` certificates with SPIFFE IDs and keys, into `directory`. */
export function makeCertificates(directory: string, openssl: string): void {
  const run = (...args: string[]) =>
    execFileSync(openssl, args, { cwd: directory, stdio: ["ignore", "ignore", "pipe"] });
  const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
  run(
    "req",
    "-x509",
    ...key,
    "-keyout",
    "ca.key",
    "-out",
    "ca.pem",
    "-days",
    "2",
    "-subj",
    "/O=cluster.local",
  );
  for (const name of ["client", "server"]) {
    writeFileSync(
      join(directory, `${name}.ext`),
      [
        `subjectAltName=critical,URI:spiffe://cluster.local/ns/default/sa/${name}`,
        "keyUsage=critical,digitalSignature",
        "extendedKeyUsage=serverAuth,clientAuth",
        "basicConstraints=critical,CA:FALSE",
      ].join("\n"),
    );
    run("req", "-new", ...key, "-keyout", `${name}.key`, "-out", `${name}.csr`, "-subj", "/");
    run(
      "x509",
      "-req",
      ...["-in", `${name}.csr`, "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial"],
      ...["-days", "1", "-extfile", `${name}.ext`, "-out", `${name}.pem`],
    );
  }
}
