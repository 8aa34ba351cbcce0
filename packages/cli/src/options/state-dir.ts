import { homedir } from "node:os";
import { join } from "node:path";
import { ApiClient } from "@weft/control/api/client";
import { remoteEndpoint } from "@weft/control/api/remote-endpoint";
import { Option } from "commander";
import { type ContextFlags, chooseContext } from "./contexts.ts";

/** `--state DIR`, the same on every command that has to do with a control plane. */
export function stateOption(): Option {
  return new Option("--state <dir>", "state directory of the control plane").env("WEFT_STATE");
}

/**
 * The state directory: what was said, else `/var/lib/weft` for root, else below
 * `$XDG_STATE_HOME` or `~/.local/state`.
 */
export function resolveStateDir(said: string | undefined, env: NodeJS.ProcessEnv = process.env): string {
  if (said) return said;
  if (process.getuid?.() === 0) return "/var/lib/weft";
  return join(env.XDG_STATE_HOME || join(homedir(), ".local", "state"), "weft");
}

/** A client for the control plane that flags, environment or the current context name: on this machine, or elsewhere. */
export function apiClient(flags: ContextFlags): ApiClient {
  const context = chooseContext(flags);
  return context.server === undefined
    ? localClient(context)
    : new ApiClient({ endpoint: remoteEndpoint({ ...context, server: context.server }) });
}

/** A client for the control plane of this machine whose state is there, whatever the context is. */
export function localClient({ state }: { readonly state?: string }): ApiClient {
  return new ApiClient({ socketPath: join(resolveStateDir(state), "api.sock") });
}
