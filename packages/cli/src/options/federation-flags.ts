import { readFileSync } from "node:fs";
import { messageOf, UserError } from "@weft/base/errors";
import type { ControlPlaneOptions } from "@weft/control/control-plane";
import { type Command, Option } from "commander";
import { collect, parseDurationMs, parseIp, parsePort } from "./parse-values.ts";

/** How a mesh is federated with other trust domains. */
export interface FederationFlags {
  readonly federationAddress: string;
  readonly federationPort?: number;
  readonly federationCert?: string;
  readonly federationKey?: string;
  readonly federationRefreshHint: number;
  readonly federationAllow?: readonly string[];
  readonly federationCa?: string;
}

export function addFederationOptions(command: Command): Command {
  return command
    .addOption(
      new Option(
        "--federation-port <port>",
        "serve the SPIFFE bundle of this trust domain to others here",
      ).argParser((text) => parsePort(text, true)),
    )
    .option("--federation-address <ip>", "address of that endpoint", parseIp, "0.0.0.0")
    .option("--federation-cert <file>", "certificate for its host name (https_web); without it https_spiffe")
    .option("--federation-key <file>", "private key of that certificate")
    .option(
      "--federation-refresh-hint <time>",
      "how often others are asked to look; a new root waits three times as long",
      parseDurationMs,
      60_000,
    )
    .option(
      "--federation-allow <cidr>",
      "addresses that are not public and bundles may be fetched from; repeatable",
      collect(String),
    )
    .option(
      "--federation-ca <file>",
      "PEM roots for bundle endpoints (https_web), beside those of the system",
    );
}

/** @throws UserError */
export async function federationOf(flags: FederationFlags): Promise<ControlPlaneOptions["federation"]> {
  const { federationPort: port, federationCert: cert, federationKey: key, federationAllow: allowed } = flags;
  if ((cert === undefined) !== (key === undefined)) {
    throw refusal("--federation-cert and --federation-key belong together", "give both");
  }
  if (cert !== undefined && port === undefined) {
    throw refusal("--federation-cert is for an endpoint that is not served", "add --federation-port");
  }
  const refreshHintS = flags.federationRefreshHint / 1000;
  if (refreshHintS < 1 || refreshHintS > 86_400) {
    throw refusal("--federation-refresh-hint is from 1s to 24h", "leave it out for a minute");
  }
  await checkRanges("--federation-allow", allowed ?? []);
  const web = cert !== undefined && key !== undefined ? { certificateFile: cert, keyFile: key } : undefined;
  return {
    fetching: { allowed, caPem: flags.federationCa && readPem("--federation-ca", flags.federationCa) },
    refreshHintS: Math.ceil(refreshHintS),
    ...(port === undefined ? {} : { endpoint: { address: flags.federationAddress, port, web } }),
  };
}

/** @throws UserError that names the flag, where one is no address and no range */
export async function checkRanges(flag: string, ranges: readonly string[]): Promise<void> {
  const { parseCidr } = await import("@weft/control/config/values");
  const wrong = ranges.find((range) => !parseCidr(range));
  if (wrong !== undefined)
    throw refusal(`${flag}: "${wrong}" is not an IP address or range`, "write for example 10.0.0.0/8");
}

/** @throws UserError that names the flag */
export function readPem(flag: string, file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    throw new UserError(`${flag}: ${messageOf(error)}`, { exitCode: 2, cause: error });
  }
}

function refusal(message: string, hint: string): UserError {
  return new UserError(message, { hint, exitCode: 2 });
}
