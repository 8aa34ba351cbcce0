import { execFileSync } from "node:child_process";
import { copyFileSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/**
 * Writes Istio's `cacerts` layout as an operator would, with openssl: a root,
 * an authority below it, and below that the one that issues.
 *
 * @param options.root a folder made before, whose root signs this one's too
 */
export function makeCacerts(folder: string, options: { readonly root?: string } = {}): void {
  const openssl = (...args: readonly string[]) =>
    execFileSync("openssl", args, { cwd: folder, stdio: ["ignore", "ignore", "pipe"] });
  const key = (name: string) =>
    openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", name);
  if (options.root) {
    for (const file of ["root-cert.pem", "root-key.pem"]) {
      copyFileSync(join(options.root, file), join(folder, file));
    }
  } else {
    key("root-key.pem");
    const extensions = ["basicConstraints=critical,CA:true", "keyUsage=critical,keyCertSign,cRLSign"];
    const flags = extensions.flatMap((extension) => ["-addext", extension]);
    openssl(
      ...["req", "-new", "-x509", "-key", "root-key.pem", "-subj", "/CN=Example root", "-days", "30"],
      ...[...flags, "-out", "root-cert.pem"],
    );
  }
  const below = (name: string, issuer: string, pathLength: number) => {
    key(`${name}-key.pem`);
    openssl("req", "-new", "-key", `${name}-key.pem`, "-subj", `/CN=Example ${name}`, "-out", `${name}.csr`);
    const extensions = [
      `basicConstraints=critical,CA:true,pathlen:${pathLength}`,
      "keyUsage=critical,keyCertSign,cRLSign",
      "subjectKeyIdentifier=hash",
      "authorityKeyIdentifier=keyid",
    ];
    writeFileSync(join(folder, "extensions.cnf"), `${extensions.join("\n")}\n`);
    openssl(
      ...["x509", "-req", "-in", `${name}.csr`, "-CA", `${issuer}-cert.pem`, "-CAkey", `${issuer}-key.pem`],
      ...["-CAcreateserial", "-days", "20", "-extfile", "extensions.cnf", "-out", `${name}-cert.pem`],
    );
  };
  below("middle", "root", 1);
  below("ca", "middle", 0);
  const files = ["ca-cert.pem", "middle-cert.pem", "root-cert.pem"];
  writeFileSync(
    join(folder, "cert-chain.pem"),
    files.map((file) => readFileSync(join(folder, file), "utf8")).join(""),
  );
}
