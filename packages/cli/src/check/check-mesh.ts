import { formatDiagnostic } from "@weft/base/diagnostics";
import { UserError } from "@weft/base/errors";
import type { ApiClient } from "@weft/control/api/client";
import type { CaStatus, StatsReport, StatusReport } from "@weft/control/api/protocol";
import { formatAge } from "../output/units.ts";
import { checkAuthority } from "./check-authority.ts";
import { CheckList, type CheckResult } from "./check-result.ts";

/** Whether the control plane answers, and whether what depends on it is well. */
export async function checkMesh(api: ApiClient): Promise<readonly CheckResult[]> {
  const list = new CheckList("control plane");
  try {
    const [status, ca, stats] = await Promise.all([
      api.status(),
      api.caStatus(),
      api.stats({ by: "workload", windowSeconds: 60 }),
    ]);
    const up = formatAge(status.nowMs - status.startedAtMs);
    list.ok("reachable", `version ${status.version}, up ${up}, trust domain ${status.trustDomain}`);
    checkAuthority(list, ca, Date.now());
    checkConfiguration(list, status);
    return [...list.results, ...checkProxies(status), ...checkCertificates(stats, ca)];
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    list.failure("reachable", error.message, error.hint ?? "start it with 'weft control-plane'");
    return list.results;
  }
}

function checkConfiguration(list: CheckList, status: StatusReport): void {
  const errors = status.diagnostics.filter((diagnostic) => diagnostic.severity === "error");
  const warnings = status.diagnostics.filter((diagnostic) => diagnostic.severity === "warning");
  const found = [...errors, ...warnings][0];
  if (!found) list.ok("configuration", `revision ${status.revision}, nothing to report`);
  else {
    const count = `${errors.length} errors, ${warnings.length} warnings`;
    const add = errors.length > 0 ? list.failure : list.warning;
    add.call(
      list,
      "configuration",
      `${count}: ${formatDiagnostic(found)}`,
      "'weft status' lists all of them",
    );
  }
}

function checkProxies(status: StatusReport): readonly CheckResult[] {
  const list = new CheckList("mesh");
  const { proxies, workloads } = status;
  if (proxies.length === 0) {
    list.warning("proxies", "none is connected", "start a program with 'weft run'");
    return list.results;
  }
  const behind = proxies.filter((proxy) => proxy.state !== "synced");
  if (behind.length === 0) list.ok("proxies", `all ${proxies.length} in sync`);
  for (const proxy of behind) {
    const refused = proxy.types.find((type) => type.error);
    const why = refused ? `: ${refused.type}: ${refused.error}` : "";
    list.failure(
      "proxies",
      `${proxy.workload} (${proxy.role}) is ${proxy.state}${why}`,
      "see its log, and 'weft status'",
    );
  }
  const away = workloads.filter((workload) => !workload.isConnected);
  const unwell = workloads.filter((workload) => workload.isConnected && !workload.isHealthy);
  if (away.length + unwell.length === 0) list.ok("workloads", `all ${workloads.length} healthy`);
  for (const { id } of away)
    list.warning("workloads", `the agent of ${id} is away`, "see whether 'weft run' still runs there");
  for (const { id } of unwell)
    list.warning(
      "workloads",
      `${id} is not healthy: it gets no traffic`,
      "see whether the program listens on its port",
    );
  return list.results;
}

/** Certificates are renewed at half of their life; one past four fifths has failed to renew for long. */
function checkCertificates(stats: StatsReport, ca: CaStatus): readonly CheckResult[] {
  const list = new CheckList("mesh");
  const known = stats.rows.filter((row) => row.certificateExpiresInSeconds !== undefined);
  const late = known.filter((row) => row.certificateExpiresInSeconds! < ca.certificateTtlSeconds / 5);
  if (known.length > 0 && late.length === 0) {
    const next = Math.min(...known.map((row) => row.certificateExpiresInSeconds!));
    list.ok("certificates", `${known.length} workloads, the first expires in ${formatAge(next * 1000)}`);
  }
  for (const row of late) {
    const leftMs = row.certificateExpiresInSeconds! * 1000;
    const detail = leftMs > 0 ? `${row.name} expires in ${formatAge(leftMs)}` : `${row.name} has expired`;
    list.failure("certificates", detail, "see why its agent cannot renew: its log names the reason");
  }
  return list.results;
}
