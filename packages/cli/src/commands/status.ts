import { formatDiagnostic } from "@weft/base/diagnostics";
import type { ProxyStatus, StatusReport } from "@weft/control/api/protocol";
import { Command } from "commander";
import { outputOption, printJson } from "../options/output-format.ts";
import { apiClient, stateOption } from "../options/state-dir.ts";
import { formatTable, terminalWidth } from "../output/table.ts";
import { formatAge, formatMs } from "../output/units.ts";

export function command(): Command {
  return new Command("status")
    .summary("show every proxy and whether it is in sync")
    .description(
      "One line per sidecar and agent: what it acknowledged of each kind of xDS resource. 'synced' is what the\n" +
        "control plane holds, 'stale' was sent and not answered yet, 'nacked' was refused by the proxy.",
    )
    .addOption(stateOption())
    .addOption(outputOption())
    .addHelpText(
      "after",
      "\nExample:\n  $ weft status\n  $ weft status -o json | jq '.proxies[] | select(.state != \"synced\")'",
    )
    .action(async (flags: { readonly state?: string; readonly output: string }) => {
      const report = await apiClient(flags).status();
      if (flags.output === "json") return printJson(report);
      process.stderr.write(`${summary(report)}\n`);
      process.stdout.write(formatTable(columns(report), report.proxies, terminalWidth()));
      for (const line of troubles(report)) process.stderr.write(`${line}\n`);
    });
}

function columns(report: StatusReport) {
  const typeColumn = (type: string) => ({
    title: type,
    value: (proxy: ProxyStatus) => worstOf(proxy, type === "RDS" ? ["RDS", "VHDS"] : [type]),
  });
  return [
    { title: "NAME", value: (proxy: ProxyStatus) => proxy.workload },
    { title: "ROLE", value: (proxy: ProxyStatus) => proxy.role },
    ...["CDS", "LDS", "EDS", "RDS", "NDS"].map(typeColumn),
    {
      title: "REVISION",
      value: (proxy: ProxyStatus) => String(proxy.ackedRevision),
      align: "right" as const,
    },
    {
      title: "SINCE",
      value: (proxy: ProxyStatus) => formatAge(report.nowMs - proxy.connectedAtMs),
      align: "right" as const,
    },
    { title: "VERSION", value: (proxy: ProxyStatus) => proxy.version || "-" },
    { title: "DATA PLANE", value: (proxy: ProxyStatus) => proxy.dataPlane || "-" },
    { title: "IDENTITY", value: (proxy: ProxyStatus) => proxy.identity, canShrink: true },
  ];
}

/** Virtual hosts that are given by name are a part of routes. */
function worstOf({ types }: ProxyStatus, wanted: readonly string[]): string {
  const states = types.filter(({ type }) => wanted.includes(type)).map(({ state }) => state);
  return (["nacked", "stale", "not sent"] as const).find((bad) => states.includes(bad)) ?? states[0] ?? "-";
}

function summary(report: StatusReport): string {
  const { p50Ms, p99Ms, count } = report.convergence;
  const convergence =
    count > 0 ? `, change to last acknowledgement ${formatMs(p50Ms)} (p99 ${formatMs(p99Ms)})` : "";
  return (
    `weft: control plane ${report.version}, up ${formatAge(report.nowMs - report.startedAtMs)}, ` +
    `trust domain ${report.trustDomain}, revision ${report.revision}, ${report.services} services, ` +
    `${report.workloads.length} workloads${convergence}`
  );
}

function troubles(report: StatusReport): readonly string[] {
  const lines: string[] = [];
  if (report.proxies.length === 0) {
    lines.push("weft: no proxy is connected; 'weft run' starts a program with one");
  }
  if (report.rotation) {
    const { phase, acknowledged, waiting } = report.rotation;
    const progress = `${acknowledged} of ${acknowledged + waiting.length} workloads have acknowledged it`;
    lines.push(`weft: the root is being replaced, phase ${phase}: ${progress}; 'weft ca status' says more`);
  }
  for (const proxy of report.proxies) {
    for (const { type, error } of proxy.types) {
      if (error) lines.push(`weft: ${proxy.workload} (${proxy.role}) refused ${type}: ${error}`);
    }
  }
  for (const workload of report.workloads) {
    if (!workload.isConnected) lines.push(`weft: the agent of ${workload.id} is away`);
    else if (!workload.isHealthy) lines.push(`weft: ${workload.id} is not healthy: it gets no traffic`);
  }
  return [...lines, ...report.diagnostics.map(formatDiagnostic)];
}
