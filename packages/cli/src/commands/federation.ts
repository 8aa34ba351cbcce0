import { UserError } from "@weft/base/errors";
import type { FederatedDomain, FederationStatus } from "@weft/control/api/federation-protocol";
import { Command } from "commander";
import { stringify } from "yaml";
import { outputOption, printJson } from "../options/output-format.ts";
import { apiClient, stateOption } from "../options/state-dir.ts";
import { formatTable, terminalWidth } from "../output/table.ts";
import { formatAge } from "../output/units.ts";
import { readFiles } from "./read-files.ts";

interface Flags {
  readonly state?: string;
  readonly output: string;
}

interface AddFlags extends Flags {
  readonly url: string;
  readonly profile: "https_web" | "https_spiffe";
  readonly endpointId?: string;
  readonly bundle?: string;
  readonly name?: string;
}

const kind = "ClusterFederatedTrustDomain";

export function command(): Command {
  return new Command("federation")
    .summary("trust the identities of other trust domains")
    .description(
      "Other trust domains whose identities are verified here, each by the bundle that it serves, and the bundle of\n" +
        "this one. Trust is one-way: for calls in both directions each side adds the other.",
    )
    .addCommand(addCommand())
    .addCommand(listCommand())
    .addCommand(showCommand())
    .addCommand(removeCommand())
    .addHelpText("after", "\nExample:\n  $ weft federation list");
}

function addCommand(): Command {
  return new Command("add")
    .description(`Trusts the identities of another trust domain; what is applied is a ${kind}.`)
    .argument("<trust-domain>", "its name")
    .requiredOption("--url <url>", "its bundle endpoint, https://…")
    .option(
      "--profile <profile>",
      "https_web (a certificate for the host name) or https_spiffe",
      parseProfile,
      "https_web",
    )
    .option("--endpoint-id <spiffe-id>", "https_spiffe: the identity of the endpoint")
    .option("--bundle <file>", "its bundle document to begin with, or - for stdin; https_spiffe needs it")
    .option("--name <name>", "of the resource (default: the trust domain)")
    .addOption(stateOption())
    .addOption(outputOption(["text", "json"]))
    .addHelpText(
      "after",
      "\nExample:\n" +
        "  $ weft federation add west.example --url https://spiffe.west.example/\n" +
        "  $ weft federation add west.example --url https://10.1.0.5:8443/ --profile https_spiffe \\\n" +
        "      --endpoint-id spiffe://west.example/ns/weft-system/sa/weft-control-plane --bundle west.json",
    )
    .action(async (trustDomain: string, flags: AddFlags) => {
      const [bundle] = flags.bundle === undefined ? [] : readFiles([flags.bundle], false);
      const text = stringify({
        apiVersion: "spire.spiffe.io/v1alpha1",
        kind,
        metadata: { name: flags.name ?? trustDomain },
        spec: {
          trustDomain,
          bundleEndpointURL: flags.url,
          bundleEndpointProfile: {
            type: flags.profile,
            ...(flags.endpointId === undefined ? {} : { endpointSPIFFEID: flags.endpointId }),
          },
          ...(bundle ? { trustDomainBundle: bundle.text.trim() } : {}),
        },
      });
      const result = await apiClient(flags).apply({ files: [{ name: "weft federation add", text }] });
      if (flags.output === "json") return printJson(result);
      process.stderr.write(
        `weft: federated with ${trustDomain}; 'weft federation show ${trustDomain}' says how it goes\n`,
      );
    });
}

function listCommand(): Command {
  return new Command("list")
    .description(
      "Lists the trust domains whose identities are verified, and how old what is known of them is.",
    )
    .addOption(stateOption())
    .addOption(outputOption())
    .addHelpText("after", "\nExample:\n  $ weft federation list")
    .action(async (flags: Flags) => {
      const { domains } = await apiClient(flags).federation();
      if (flags.output === "json") return printJson(domains);
      if (domains.length === 0) {
        process.stderr.write(
          "weft: this mesh is federated with nobody; 'weft federation add' changes that\n",
        );
      }
      const age = (atMs: number | undefined) => (atMs === undefined ? "-" : formatAge(Date.now() - atMs));
      const columns = [
        { title: "TRUST DOMAIN", value: (domain: FederatedDomain) => domain.trustDomain, canShrink: true },
        { title: "STATE", value: (domain: FederatedDomain) => domain.state },
        { title: "ROOTS", value: (domain: FederatedDomain) => String(domain.roots.length) },
        { title: "SEQUENCE", value: (domain: FederatedDomain) => domain.sequence ?? "-" },
        { title: "FETCHED", value: (domain: FederatedDomain) => age(domain.fetchedAtMs) },
        { title: "CHANGED", value: (domain: FederatedDomain) => age(domain.changedAtMs) },
        { title: "PROBLEM", value: (domain: FederatedDomain) => domain.problem ?? "-", canShrink: true },
      ];
      process.stdout.write(formatTable(columns, domains, terminalWidth()));
    });
}

function showCommand(): Command {
  return new Command("show")
    .description("Shows what is known of a trust domain; without a name, what others are told of this one.")
    .argument("[trust-domain]", "as 'weft federation list' shows it")
    .addOption(stateOption())
    .addOption(outputOption(["text", "json", "bundle"]))
    .addHelpText(
      "after",
      "\nExample:\n  $ weft federation show west.example\n  $ weft federation show -o bundle > east.json",
    )
    .action(async (trustDomain: string | undefined, flags: Flags) => {
      const status = await apiClient(flags).federation();
      if (trustDomain === undefined || trustDomain === status.trustDomain)
        return showOwn(status, flags.output);
      const domain = status.domains.find((one) => one.trustDomain === trustDomain);
      if (!domain) throw notFederated(trustDomain, status);
      if (flags.output === "json") return printJson(domain);
      if (flags.output === "bundle") {
        if (domain.bundle === undefined)
          throw new UserError(
            `no bundle of ${trustDomain} is known: ${domain.problem ?? "it has not been fetched yet"}`,
          );
        return void process.stdout.write(`${domain.bundle}\n`);
      }
      print(linesOf(domain));
    });
}

function removeCommand(): Command {
  return new Command("remove")
    .description("Ends the federation with a trust domain: none of its identities is taken any more.")
    .argument("<trust-domain>", "as 'weft federation list' shows it")
    .addOption(stateOption())
    .addOption(outputOption(["text", "json"]))
    .addHelpText("after", "\nExample:\n  $ weft federation remove west.example")
    .action(async (trustDomain: string, flags: Flags) => {
      const api = apiClient(flags);
      const status = await api.federation();
      const domain = status.domains.find((one) => one.trustDomain === trustDomain);
      if (!domain) throw notFederated(trustDomain, status);
      const [word, name] = domain.from.split(" ");
      if (word !== kind || name === undefined) {
        throw new UserError(`${trustDomain} is federated with by the ${domain.from}`, {
          hint: "remove it there and restart the control plane",
        });
      }
      const { resources } = await api.listResources({ kind });
      const { namespace } = resources.find((resource) => resource.name === name)!;
      const result = await api.deleteResource({ kind, namespace, name });
      if (flags.output === "json") return printJson(result);
      process.stderr.write(`weft: no identity of ${trustDomain} is taken any more\n`);
    });
}

function showOwn({ trustDomain, aliases, endpoint, bundle }: FederationStatus, output: string): void {
  if (output !== "text") {
    if (output === "bundle") process.stdout.write(`${bundle}\n`);
    else printJson({ trustDomain, aliases, endpoint, bundle: JSON.parse(bundle) });
    return;
  }
  const served = endpoint
    ? `on ${endpoint.address}:${endpoint.port}, ${endpoint.profile}${endpoint.spiffeId ? ` as ${endpoint.spiffeId}` : ""}`
    : "no; --federation-port of the control plane serves it";
  print([
    ["trust domain", trustDomain],
    ...(aliases.length > 0 ? [["aliases", aliases.join(", ")] as const] : []),
    ["bundle served", served],
  ]);
}

function linesOf(domain: FederatedDomain): (readonly [string, string])[] {
  const at = (ms: number | undefined) =>
    ms === undefined ? "never" : `${new Date(ms).toISOString()} (${formatAge(Date.now() - ms)} ago)`;
  return [
    ["trust domain", domain.trustDomain],
    ["by", domain.from],
    ...(domain.url === undefined ? [] : [["endpoint", `${domain.url}, ${domain.profile}`] as const]),
    ...(domain.endpointSpiffeId === undefined ? [] : [["known as", domain.endpointSpiffeId] as const]),
    ["state", domain.state],
    ...(domain.problem === undefined ? [] : [["problem", domain.problem] as const]),
    ...domain.roots.map(
      ({ subject, notAfterMs }, index) =>
        [index === 0 ? "roots" : "", `${subject}, until ${new Date(notAfterMs).toISOString()}`] as const,
    ),
    ["token keys", String(domain.jwtKeys)],
    ["sequence", domain.sequence ?? "none"],
    ["fetched", at(domain.fetchedAtMs)],
    ["changed", at(domain.changedAtMs)],
    ...(domain.nextAtMs === undefined
      ? []
      : [["next look", new Date(domain.nextAtMs).toISOString()] as const]),
  ];
}

function print(lines: readonly (readonly [string, string])[]): void {
  process.stdout.write(lines.map(([title, text]) => `${title.padEnd(15)}${text}\n`).join(""));
}

function notFederated(trustDomain: string, { domains }: FederationStatus): UserError {
  const known = domains.map((domain) => domain.trustDomain);
  return new UserError(`this mesh is not federated with ${trustDomain}`, {
    hint: known.length > 0 ? `with ${known.join(", ")}` : "with nobody: see 'weft federation add --help'",
  });
}

function parseProfile(text: string): AddFlags["profile"] {
  if (text === "https_web" || text === "https_spiffe") return text;
  throw new UserError(`--profile: "${text}" is neither https_web nor https_spiffe`, { exitCode: 2 });
}
