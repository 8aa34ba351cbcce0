import { availableParallelism } from "node:os";
import { UserError } from "@weft/base/errors";
import { findExecutable } from "../launch.ts";
import type { RunDirectory } from "../run-directory.ts";
import type { DataPlaneKind, RunOptions } from "../run-options.ts";
import type { ProxySettings } from "./proxy-settings.ts";

/**
 * The sidecar beside the application. All kinds take the same bootstrap file and
 * the same secrets, and have the same admin interface; only how they are started differs.
 */
export interface DataPlane {
  readonly kind: Exclude<DataPlaneKind, "none">;
  /** Whether it counts Istio's metrics itself; otherwise the agent does, from its access logs. */
  readonly hasIstioMetrics: boolean;
  /** The program and its arguments. The first element is an absolute path. */
  command(
    files: Pick<RunDirectory, "bootstrapPath" | "keptConfigPath" | "requestsSocketPath">,
    settings?: Pick<ProxySettings, "concurrency">,
  ): readonly string[];
}

/** Undefined: the application is its own data plane. @throws UserError for a data plane that is not there */
export function chooseDataPlane(options: RunOptions): DataPlane | undefined {
  const kind = options.proxy ?? "weft";
  // Who starts it here knows best.
  const workers = (said: number | undefined) => {
    const wanted = options.concurrency ?? said ?? 1;
    return ["--concurrency", `${wanted === 0 ? availableParallelism() : wanted}`];
  };
  if (kind === "weft") {
    const start = options.proxyCommand ?? [process.execPath, process.argv[1]!, "proxy"];
    const flags = ["--log-level", "warning", "--drain-strategy", "immediate"];
    return {
      kind,
      hasIstioMetrics: true,
      command: ({ bootstrapPath, keptConfigPath, requestsSocketPath }, settings) => [
        ...start,
        ...["-c", bootstrapPath, "--keep-config", keptConfigPath],
        ...["--requests-socket", requestsSocketPath, ...workers(settings?.concurrency), ...flags],
      ],
    };
  }
  if (kind === "envoy") {
    const envoy = findExecutable(options.envoyPath ?? "envoy");
    if (!envoy) {
      throw new UserError(`--proxy envoy: ${options.envoyPath ?? "envoy"} not found`, {
        hint: "install Envoy, put it on the PATH or name it with --envoy-path",
      });
    }
    const flags = ["--disable-hot-restart", "--log-level", "warning"];
    // A connection made under another policy ends with its next request, and not only some time later.
    flags.push("--drain-strategy", "immediate", "--drain-time-s", "45");
    return {
      kind,
      hasIstioMetrics: false,
      command: ({ bootstrapPath }, settings) => [
        envoy,
        ...["-c", bootstrapPath, ...workers(settings?.concurrency), ...flags],
      ],
    };
  }
  return undefined;
}
