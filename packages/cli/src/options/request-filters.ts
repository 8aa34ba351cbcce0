import type { RequestSelection } from "@weft/control/api/observe-protocol";
import { type Command, Option } from "commander";
import { parseStatusRange } from "./parse-values.ts";

/** Which requests, as it was said on the command line. */
export interface RequestFilters {
  readonly from?: string;
  readonly to?: string;
  readonly path?: string;
  readonly method?: string;
  readonly status?: { readonly min: number; readonly max: number };
  readonly direction?: "inbound" | "outbound";
}

/** Adds the options that say which requests, the same on every command that shows them. */
export function withRequestFilters(command: Command): Command {
  return command
    .option("--from <name>", "only requests from this workload, deployment or service")
    .option("--to <name>", "only requests to this; also a host outside the mesh")
    .option("--path <prefix>", "only paths that begin with this")
    .option("--method <method>", "only this method")
    .option("--status <status>", "only these statuses: 503, 5xx or 400-499", parseStatusRange)
    .addOption(
      new Option("--direction <which>", "only what data planes take in, or only what they send out").choices([
        "inbound",
        "outbound",
      ]),
    );
}

export function selectionOf(workload: string | undefined, filters: RequestFilters): RequestSelection {
  const { from, to, path, method, status, direction } = filters;
  return {
    ...(workload && { workload }),
    ...(from && { from }),
    ...(to && { to }),
    ...(path && { pathPrefix: path }),
    ...(method && { method: method.toUpperCase() }),
    ...(status && { statusMin: status.min, statusMax: status.max }),
    ...(direction && { direction }),
  };
}
