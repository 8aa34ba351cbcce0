import type { CaStatus } from "@weft/control/api/protocol";
import { Command } from "commander";
import { outputOption, printJson } from "../options/output-format.ts";
import { apiClient, stateOption } from "../options/state-dir.ts";
import { formatAge } from "../output/units.ts";

export function command(): Command {
  return new Command("ca")
    .summary("show the certificate authority")
    .description("The certificate authority of the mesh.")
    .addCommand(statusCommand())
    .addHelpText("after", "\nExample:\n  $ weft ca status");
}

function statusCommand(): Command {
  return new Command("status")
    .description("Shows the root certificate and how workloads' certificates are issued.")
    .addOption(stateOption())
    .addOption(outputOption(["text", "json", "pem"]))
    .addHelpText("after", "\nExample:\n  $ weft ca status\n  $ weft ca status -o pem > root.pem")
    .action(async (flags: { readonly state?: string; readonly output: string }) => {
      const ca = await apiClient(flags).caStatus();
      if (flags.output === "json") return printJson(ca);
      if (flags.output === "pem") return void process.stdout.write(ca.bundlePem.replace(/\n*$/, "\n"));
      const lines = [
        ["trust domain", ca.trustDomain],
        ["root", ca.rootSubject],
        ["fingerprint", ca.rootFingerprint],
        ["valid from", new Date(ca.rootNotBeforeMs).toISOString()],
        [
          "valid until",
          `${new Date(ca.rootNotAfterMs).toISOString()} (${formatAge(ca.rootNotAfterMs - Date.now())} left)`,
        ],
        ...issuerLines(ca),
        ["certificates", `live ${formatAge(ca.certificateTtlSeconds * 1000)}, renewed at half of it`],
        ["issued", `${ca.issued} since this control plane started`],
      ];
      process.stdout.write(lines.map(([title, text]) => `${title!.padEnd(14)}${text}\n`).join(""));
    });
}

/** Where an intermediate stands between the root and the certificates. */
function issuerLines({ issuerSubject, issuerNotAfterMs, rootSubject }: CaStatus): [string, string][] {
  if (issuerSubject === undefined || issuerSubject === rootSubject || issuerNotAfterMs === undefined)
    return [];
  const left = formatAge(issuerNotAfterMs - Date.now());
  return [
    ["issuer", issuerSubject],
    ["", `valid until ${new Date(issuerNotAfterMs).toISOString()} (${left} left)`],
  ];
}
