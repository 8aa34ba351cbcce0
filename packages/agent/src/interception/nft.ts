import { spawn, spawnSync } from "node:child_process";
import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";
import { UserError } from "@weft/base/errors";
import { buildNftRules, type InterceptionPlan, removeNftRules } from "./nft-rules.ts";

/** Where `nft` is, also when /usr/sbin is not on the PATH (a Debian user's default). */
export function findNft(path = process.env.PATH ?? ""): string | undefined {
  for (const folder of [...path.split(delimiter), "/usr/sbin", "/sbin"]) {
    if (folder === "") continue;
    const candidate = join(folder, "nft");
    try {
      accessSync(candidate, constants.X_OK);
      return candidate;
    } catch {
      // not here: the next folder
    }
  }
  return undefined;
}

/** Rules in force in this network namespace until `remove`. */
export interface Interception {
  /** Takes the rules away; synchronous, so that it also works from a process's last handler. Idempotent. */
  remove(): void;
}

/**
 * Puts the interception rules in force in this process's network namespace,
 * all at once or not at all. Rules a killed agent left behind are replaced.
 *
 * @throws UserError with what `nft` said, when the kernel or the user's rights refuse
 */
export async function intercept(plan: InterceptionPlan, nft: string): Promise<Interception> {
  const { code, stderr } = await runNft(nft, buildNftRules(plan));
  if (code !== 0) {
    throw new UserError(`nft refused the interception rules: ${stderr.trim() || `exit code ${code}`}`, {
      hint: "interception needs root (CAP_NET_ADMIN) in this network namespace and nf_tables in the kernel; --capture none works without",
    });
  }
  let isRemoved = false;
  return {
    remove() {
      if (isRemoved) return;
      isRemoved = true;
      spawnSync(nft, ["-f", "-"], {
        input: removeNftRules(),
        stdio: ["pipe", "ignore", "ignore"],
        timeout: 5_000,
      });
    },
  };
}

function runNft(nft: string, input: string): Promise<{ code: number | null; stderr: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn(nft, ["-f", "-"], { stdio: ["pipe", "ignore", "pipe"] });
    let stderr = "";
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      if (stderr.length < 4096) stderr += text;
    });
    child.on("error", (cause) => reject(new UserError(`cannot start ${nft}: ${cause.message}`, { cause })));
    child.on("close", (code) => resolve({ code, stderr }));
    child.stdin.on("error", () => {}); // nft gone early: its exit code says why
    child.stdin.end(input);
  });
}
