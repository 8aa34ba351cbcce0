import { UserError } from "@weft/base/errors";
import type { ApiClient } from "@weft/control/api/client";
import type { CaStatus, RevocationRecord, RotationStatus } from "@weft/control/api/protocol";
import { Command } from "commander";
import { outputOption, printJson } from "../options/output-format.ts";
import { parseDurationMs } from "../options/parse-values.ts";
import { apiClient, stateOption } from "../options/state-dir.ts";
import { formatAge } from "../output/units.ts";

interface Flags {
  readonly state?: string;
  readonly output: string;
}

interface RevokeFlags extends Flags {
  readonly serial?: string;
  readonly identity?: string;
}

interface RotateFlags extends Flags {
  readonly force?: boolean;
  readonly wait: boolean;
  readonly timeout: number;
}

export function command(): Command {
  return new Command("ca")
    .summary("show the certificate authority, rotate its root, revoke certificates")
    .description("The certificate authority of the mesh.")
    .addCommand(statusCommand())
    .addCommand(rotateCommand())
    .addCommand(revokeCommand())
    .addHelpText("after", "\nExample:\n  $ weft ca status\n  $ weft ca rotate");
}

function statusCommand(): Command {
  return new Command("status")
    .description(
      "Shows the root certificate, how workloads' certificates are issued, and how a rotation goes.",
    )
    .addOption(stateOption())
    .addOption(outputOption(["text", "json", "pem"]))
    .addHelpText("after", "\nExample:\n  $ weft ca status\n  $ weft ca status -o pem > roots.pem")
    .action(async (flags: Flags) => {
      const ca = await apiClient(flags).caStatus();
      if (flags.output === "json") return printJson(ca);
      if (flags.output === "pem") return void process.stdout.write(ca.bundlePem.replace(/\n*$/, "\n"));
      const lines: [string, string][] = [
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
        ...ca.revocations.slice(0, maxRevokedShown).map(revocationLine),
        ...(ca.rotation ? rotationLines(ca.rotation) : []),
      ];
      process.stdout.write(lines.map(([title, text]) => `${title.padEnd(14)}${text}\n`).join(""));
    });
}

function rotateCommand(): Command {
  return new Command("rotate")
    .description(
      "Replaces the root: a new one is made (prepare), trusted by everybody beside the old one (trust), issues new\n" +
        "certificates to everybody (issue), and the old one is trusted no more (retire). Each phase lasts until every\n" +
        "workload has acknowledged it; a restart of the control plane goes on where it was.",
    )
    .option(
      "--force",
      "the old root's key is in wrong hands: waits for nobody, and distrusts the old root after 15 s",
    )
    .option("--no-wait", "return as soon as it has begun; 'weft ca status' shows how it goes")
    .option("--timeout <time>", "how long to wait; it goes on afterwards", parseDurationMs, 600_000)
    .addOption(stateOption())
    .addOption(outputOption(["text", "json"]))
    .addHelpText("after", "\nExample:\n  $ weft ca rotate\n  $ weft ca rotate --force")
    .action(async (flags: RotateFlags) => {
      const api = apiClient(flags);
      const begun = await api.rotateRoot({ isForced: flags.force ?? false });
      const ca = flags.wait ? await untilDone(api, begun, flags.timeout) : begun;
      if (flags.output === "json") return printJson(ca.rotation);
      process.stdout.write(
        rotationLines(ca.rotation!)
          .map(([title, text]) => `${title.padEnd(14)}${text}\n`)
          .join(""),
      );
    });
}

function revokeCommand(): Command {
  return new Command("revoke")
    .description(
      "Shuts out who holds a certificate, or whoever holds one of an identity: no configuration, no renewal, no\n" +
        "token from the control plane, until it has expired. Other workloads accept it until then.",
    )
    .option("--serial <hex>", "serial number of one certificate, as openssl prints it")
    .option("--identity <spiffe-id>", "every certificate the identity has now, and its unused join tokens")
    .addOption(stateOption())
    .addOption(outputOption(["text", "json"]))
    .addHelpText(
      "after",
      "\nExample:\n  $ weft ca revoke --identity spiffe://cluster.local/ns/default/sa/reviews\n  $ weft ca revoke --serial 9F:3A:…",
    )
    .action(async (flags: RevokeFlags) => {
      const { serial, identity } = flags;
      if ((serial === undefined) === (identity === undefined)) {
        throw new UserError("name what to revoke by --serial or by --identity", {
          hint: "'weft proxy-config secrets WORKLOAD' shows the serial numbers of a workload",
          exitCode: 2,
        });
      }
      const request = serial === undefined ? { identity: identity! } : { serial };
      const revoked = await apiClient(flags).revoke(request);
      if (flags.output === "json") return printJson(revoked);
      process.stderr.write(
        `weft: ${revoked.kind} ${revoked.value} is revoked until ${new Date(revoked.untilMs).toISOString()}\n`,
      );
    });
}

/** Says each phase as it begins. @throws UserError when the time is over first */
async function untilDone(api: ApiClient, begun: CaStatus, timeoutMs: number): Promise<CaStatus> {
  const deadlineMs = Date.now() + timeoutMs;
  let told = 0;
  for (let ca = begun; ; ca = await api.caStatus()) {
    const { phase, steps, waiting } = ca.rotation!;
    for (const step of steps.slice(told))
      process.stderr.write(`weft: ${phaseTexts[step.phase] ?? step.phase}\n`);
    told = steps.length;
    if (phase === "done") return ca;
    if (Date.now() >= deadlineMs) {
      const who = waiting.slice(0, 5).map(({ workload, why }) => `${workload}: ${why}`);
      throw new UserError(`the rotation is still in phase ${phase} (${who.join("; ") || "about to go on"})`, {
        hint: "it goes on by itself; 'weft ca status' shows how",
        exitCode: 4,
      });
    }
    await new Promise((resolve) => setTimeout(resolve, 300));
  }
}

const phaseTexts: Readonly<Record<string, string>> = {
  prepare: "prepare: a new root is made",
  trust: "trust: everybody is told to trust both roots",
  issue: "issue: everybody gets a certificate of the new root",
  retire: "retire: the old root is trusted no more",
  done: "done",
};

/** Where an intermediate stands between the root and the certificates. */
function issuerLines({ issuerSubject, issuerNotAfterMs, rootSubject }: CaStatus): [string, string][] {
  if (issuerSubject === undefined || issuerSubject === rootSubject || issuerNotAfterMs === undefined) {
    return [];
  }
  const left = formatAge(issuerNotAfterMs - Date.now());
  return [
    ["issuer", issuerSubject],
    ["", `valid until ${new Date(issuerNotAfterMs).toISOString()} (${left} left)`],
  ];
}

const maxRevokedShown = 20;

function revocationLine({ kind, value, untilMs }: RevocationRecord): [string, string] {
  return ["revoked", `${kind} ${value} until ${new Date(untilMs).toISOString()}`];
}

const maxWaitingShown = 20;

function rotationLines(rotation: RotationStatus): [string, string][] {
  const { phase, isForced, from, to, steps, waiting, acknowledged } = rotation;
  const [first] = steps;
  const since = (atMs: number) => `+${((atMs - first!.atMs) / 1000).toFixed(1)} s`;
  const lines: [string, string][] = [
    ["rotation", `${isForced ? "forced, " : ""}from ${from.subject} to ${to.subject}`],
    ...steps.map(({ phase: step, atMs }): [string, string] => [
      "",
      `${step.padEnd(8)} ${new Date(atMs).toISOString()} ${since(atMs)}`,
    ]),
  ];
  if (phase === "done") return lines;
  lines.push(["acknowledged", `${acknowledged} of ${acknowledged + waiting.length} workloads`]);
  for (const { workload, why } of waiting.slice(0, maxWaitingShown))
    lines.push(["waiting for", `${workload}: ${why}`]);
  if (waiting.length > maxWaitingShown) lines.push(["", `and ${waiting.length - maxWaitingShown} more`]);
  return lines;
}
