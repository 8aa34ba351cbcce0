import { UserError } from "@weft/base/errors";
import { tryCommand } from "./command.ts";

/**
 * Installs Debian packages, without what they only recommend. Needs root.
 *
 * @throws UserError with apt-get's last words and `hint`
 */
export async function installPackages(packages: readonly string[], hint: string): Promise<void> {
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
  const install = ["install", "-y", "-qq", "--no-install-recommends", ...packages];
  let result = await tryCommand("apt-get", install, { env, timeoutMs: 300_000 });
  if (result.code !== 0) {
    await tryCommand("apt-get", ["update", "-qq"], { env, timeoutMs: 300_000 });
    result = await tryCommand("apt-get", install, { env, timeoutMs: 300_000 });
  }
  if (result.code === 0) return;
  const why = result.stderr.trim().split("\n").at(-1);
  throw new UserError(`could not install ${packages.join(", ")}: ${why}`, { hint });
}
