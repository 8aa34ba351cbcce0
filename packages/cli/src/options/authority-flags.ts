import { UserError } from "@weft/base/errors";
import type { IssuingFiles } from "@weft/control/ca/issuing-files";
import type { StepCaOptions } from "@weft/control/ca/step-ca-signer";
import { type Command, Option } from "commander";

/** Who issues the mesh's certificates, where it is not a root of its own. */
export interface AuthorityFlags {
  readonly caCert?: string;
  readonly caKey?: string;
  readonly caChain?: string;
  readonly rootCert?: string;
  readonly cacerts?: string;
  readonly stepCa?: string;
  readonly stepCaProvisioner?: string;
  readonly stepCaKey?: string;
}

export interface Authority {
  readonly issuingFiles?: IssuingFiles;
  readonly stepCa?: StepCaOptions;
}

export function addAuthorityOptions(command: Command): Command {
  const options = [
    ["--ca-cert <file>", "issue from this certificate authority instead of one of the mesh's own"],
    ["--ca-key <file>", "its private key"],
    ["--ca-chain <file>", "certificates from it up to the root, where a root did not sign it"],
    ["--root-cert <file>", "roots the mesh trusts, the one above --ca-cert among them"],
    [
      "--cacerts <dir>",
      "the same four as ca-cert.pem, ca-key.pem, cert-chain.pem and root-cert.pem (Istio's names)",
    ],
    ["--step-ca <url>", "have this step-ca sign, https://HOST:PORT; its root is in --root-cert"],
    ["--step-ca-provisioner <name>", "its JWK provisioner for this mesh"],
    ["--step-ca-key <file>", "private key of that provisioner"],
  ] as const;
  for (const [flags, description] of options) command.addOption(new Option(flags, description));
  return command;
}

/** One authority or none. @throws UserError for flags that make none, or more than one */
export async function authorityOf(flags: AuthorityFlags): Promise<Authority> {
  const { caCert, caKey, caChain, rootCert, cacerts, stepCa, stepCaProvisioner, stepCaKey } = flags;
  const kinds = [
    ["--cacerts", [cacerts]],
    ["--ca-cert", [caCert, caKey, caChain]],
    ["--step-ca", [stepCa, stepCaProvisioner, stepCaKey]],
  ] as const;
  const given = kinds.flatMap(([name, values]) =>
    values.some((value) => value !== undefined) ? [name] : [],
  );
  if (given.length > 1) {
    throw refusal(`${given.join(" and ")} are two certificate authorities`, "give one of them");
  }
  if (given[0] === "--cacerts") {
    if (rootCert !== undefined) throw refusal("--cacerts has its own root-cert.pem", "leave out --root-cert");
    const { cacertsFiles } = await import("@weft/control/ca/issuing-files");
    return { issuingFiles: cacertsFiles(cacerts!) };
  }
  if (given[0] === "--step-ca") {
    if (
      stepCa !== undefined &&
      stepCaProvisioner !== undefined &&
      stepCaKey !== undefined &&
      rootCert !== undefined
    ) {
      return { stepCa: { url: stepCa, provisioner: stepCaProvisioner, key: stepCaKey, root: rootCert } };
    }
    throw refusal(
      "--step-ca, --step-ca-provisioner, --step-ca-key and --root-cert belong together",
      "give all four; 'step ca provisioner list' and 'step ca root' tell",
    );
  }
  if (given.length === 0 && rootCert === undefined) return {};
  if (caCert !== undefined && caKey !== undefined && rootCert !== undefined) {
    return { issuingFiles: { certificate: caCert, key: caKey, chain: caChain, root: rootCert } };
  }
  throw refusal(
    "--ca-cert, --ca-key and --root-cert belong together",
    "give all three, and --ca-chain where intermediates stand between the certificate and the root",
  );
}

function refusal(message: string, hint: string): UserError {
  return new UserError(message, { hint, exitCode: 2 });
}
