import { realpathSync } from "node:fs";
import { UserError } from "@weft/base/errors";
import { tryCommand } from "./command.ts";
import { findProgram, isExecutable, peersDirectory } from "./find-program.ts";
import { installPackages } from "./install-packages.ts";

/** Programs the demo needs for interception, and the Debian packages that bring them. */
const forInterception: Readonly<Record<string, string>> = { nft: "nftables", ip: "iproute2" };
/** What the outside verification needs besides. */
const forVerification: Readonly<Record<string, string>> = { tcpdump: "tcpdump" };

/**
 * Makes sure that namespaces and rules can be made here: installs missing
 * Debian packages when root, and otherwise says which ones and what to do.
 */
export async function ensurePrerequisites(options: {
  readonly isVerifying: boolean;
  readonly say: (line: string) => void;
}): Promise<void> {
  if (process.platform !== "linux") {
    throw new UserError("transparent interception needs Linux", { hint: "run: weft demo --capture none" });
  }
  const needed = { ...forInterception, ...(options.isVerifying ? forVerification : {}) };
  const missing = Object.keys(needed).filter((program) => !hasProgram(program));
  const packages = [...new Set(missing.map((program) => needed[program]!))].sort();
  if (process.getuid?.() !== 0) {
    const also = packages.length > 0 ? ` and the packages ${packages.join(", ")}` : "";
    throw new UserError(`namespaces and interception rules need root${also}`, {
      hint: "run it with sudo, or without interception: weft demo --capture none",
    });
  }
  if (packages.length > 0) {
    options.say(`installing ${packages.join(", ")}`);
    const names = packages.join(", ");
    await installPackages(
      packages,
      `install ${names} with your package manager, or run: weft demo --capture none`,
    );
  }
  const probe = await tryCommand("nft", ["list", "tables"]);
  if (probe.code !== 0) {
    throw new UserError(`nft does not work here: ${probe.stderr.trim()}`, {
      hint: "this kernel or container may not allow it; run: weft demo --capture none",
    });
  }
}

function hasProgram(name: string): boolean {
  return findProgram(name, ["/usr/sbin", "/sbin", "/usr/local/sbin"]) !== undefined;
}

/**
 * The path of Envoy: the one that was named, or the first on the PATH and
 * where the tests' peers are kept.
 *
 * @throws UserError
 */
export function findEnvoy(named: string | true): string {
  const found = named === true ? findProgram("envoy", [peersDirectory]) : named;
  if (found !== undefined && isExecutable(found)) return realpathSync(found);
  throw new UserError(named === true ? "--envoy: Envoy is not on the PATH" : `--envoy ${named}: not found`, {
    hint: "install it (in a clone of the repository: node tools/peers.ts envoy), or name it: --envoy FILE",
  });
}

/** True where the demo's Python service can run. */
export async function hasPython(): Promise<boolean> {
  return (await tryCommand("python3", ["--version"])).code === 0;
}
