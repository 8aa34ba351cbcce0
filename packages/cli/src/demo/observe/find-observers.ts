import { existsSync } from "node:fs";
import { join } from "node:path";
import { UserError } from "@weft/base/errors";
import { packageRoot } from "../../package-root.ts";
import { tryCommand } from "../command.ts";
import { findProgram, peersDirectory } from "../find-program.ts";
import { installPackages } from "../install-packages.ts";

/** Paths of the programs that `--observe` attaches. */
export interface ObserverPrograms {
  readonly prometheus: string;
  readonly jaeger: string;
}

/**
 * Prometheus and Jaeger on this machine. A Prometheus that is missing is
 * installed from Debian where this is root; a Jaeger that is missing is set up
 * as for the tests where this is a clone of the repository.
 *
 * @throws UserError that names what is missing, and where to get it
 */
export async function findObservers(say: (line: string) => void): Promise<ObserverPrograms> {
  return { prometheus: await findPrometheus(say), jaeger: await findJaeger() };
}

async function findPrometheus(say: (line: string) => void): Promise<string> {
  const find = () => findProgram("prometheus", [peersDirectory]);
  const found = find();
  if (found) return found;
  const hint =
    "install the package prometheus, or put the program on the PATH: https://prometheus.io/download";
  if (process.getuid?.() !== 0 || !findProgram("apt-get", [])) {
    throw new UserError("--observe: Prometheus is not on the PATH", { hint });
  }
  say("installing prometheus");
  await installPackages(["prometheus"], hint);
  // The package starts a service of its own, which nobody asked for.
  if (existsSync("/run/systemd/system")) await tryCommand("systemctl", ["disable", "--now", "prometheus"]);
  const installed = find();
  if (!installed) throw new UserError("--observe: the package prometheus brought no program", { hint });
  return installed;
}

async function findJaeger(): Promise<string> {
  const name = "jaeger-all-in-one";
  const find = () => findProgram(name, [peersDirectory]);
  const setUp = join(packageRoot, "..", "..", "tools", "peers.ts");
  if (!find() && existsSync(setUp)) await tryCommand(process.execPath, [setUp, name], { timeoutMs: 120_000 });
  const found = find();
  if (found) return found;
  throw new UserError(`--observe: Jaeger (${name}) is not on the PATH`, {
    hint: "https://www.jaegertracing.io/download; with Docker: docker compose -f observability/compose.yaml up",
  });
}
