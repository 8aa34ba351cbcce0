import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { messageOf, UserError } from "@weft/base/errors";

/** A control plane, and how to show it who asks: by the state directory on this machine, or by `server` elsewhere. */
export interface Context {
  readonly state?: string;
  readonly server?: string;
  readonly caFile?: string;
  readonly clientCert?: string;
  readonly clientKey?: string;
  readonly tokenFile?: string;
}

export interface ContextFlags extends Context {
  readonly context?: string;
}

/** What `weft context` keeps. */
export interface ContextFile {
  readonly current?: string;
  readonly contexts: Readonly<Record<string, Context>>;
}

const properties = ["state", "server", "caFile", "clientCert", "clientKey", "tokenFile"] as const;

/** The control plane of this machine, always there. */
export const localContext = "local";

/** `$WEFT_CONFIG`, else `config.json` below `$XDG_CONFIG_HOME/weft` or `~/.config/weft`. */
export function contextFile(env: NodeJS.ProcessEnv = process.env): string {
  return env.WEFT_CONFIG || join(env.XDG_CONFIG_HOME || join(homedir(), ".config"), "weft", "config.json");
}

/**
 * What was said on the command line or in the environment counts; then the
 * context that was named, then the current one, then this machine's control plane.
 *
 * @throws UserError for a context that there is not, and for half of a remote one
 */
export function chooseContext(flags: ContextFlags, file = contextFile(), env = process.env): Context {
  const { context, ...said } = withoutOverruled(flags, env);
  if (context !== undefined) {
    if (said.server !== undefined || said.state !== undefined) {
      throw wrong("--context and --server or --state name two control planes", "give one of them");
    }
    return checked({ ...namedContext(readContexts(file), context, file), ...said });
  }
  if (said.server !== undefined || said.state !== undefined) return checked(said);
  const { current = localContext, contexts } = readContexts(file);
  return checked({ ...namedContext({ contexts }, current, file), ...said });
}

/** @throws UserError */
export function readContexts(file = contextFile()): ContextFile {
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return { contexts: {} };
    throw wrong(`${file}: ${messageOf(error)}`, "see that you may read it", error);
  }
  try {
    return parseContexts(text);
  } catch (error) {
    throw wrong(`${file}: ${messageOf(error)}`, "correct it, or delete it and use 'weft context add'", error);
  }
}

/** As a whole, for its owner alone. */
export function writeContexts(next: ContextFile, file = contextFile()): void {
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  writeFileSync(`${file}.${process.pid}`, `${JSON.stringify(next, undefined, 2)}\n`, { mode: 0o600 });
  renameSync(`${file}.${process.pid}`, file);
}

/** What is said of a context, paths as they are from anywhere. @throws UserError */
export function contextOf(flags: ContextFlags): Context {
  const said = checked(pick(flags));
  const paths = properties.filter((name) => name !== "server" && said[name] !== undefined);
  return { ...said, ...Object.fromEntries(paths.map((name) => [name, resolve(said[name]!)])) };
}

/** What the environment says counts where the command line says nothing else. */
function withoutOverruled(flags: ContextFlags, env: NodeJS.ProcessEnv): ContextFlags {
  const said = { ...pick(flags), ...(flags.context && { context: flags.context }) };
  const isStateOfEnv = said.state !== undefined && said.state === env.WEFT_STATE;
  const isContextOfEnv = said.context !== undefined && said.context === env.WEFT_CONTEXT;
  const { state, context, ...rest } = said;
  const isElsewhere = rest.server !== undefined || (context !== undefined && !isContextOfEnv);
  const isHere = state !== undefined && !isStateOfEnv;
  return {
    ...rest,
    ...(state !== undefined && !(isStateOfEnv && isElsewhere) && { state }),
    ...(context !== undefined && !(isContextOfEnv && (isHere || rest.server !== undefined)) && { context }),
  };
}

function namedContext({ contexts }: ContextFile, name: string, file: string): Context {
  if (Object.hasOwn(contexts, name)) return contexts[name]!;
  if (name === localContext) return {};
  const known = [localContext, ...Object.keys(contexts)].join(", ");
  throw wrong(`there is no context ${name} in ${file}`, `one of: ${known}; 'weft context add' makes one`);
}

function checked(context: Context): Context {
  const { server, clientCert, clientKey, ...rest } = context;
  const forServer = [rest.caFile, rest.tokenFile, clientCert, clientKey].some((value) => value !== undefined);
  if (server === undefined && forServer) {
    throw wrong(
      "--ca-file, --client-cert and --token-file are for a --server",
      "name it: --server https://HOST:PORT",
    );
  }
  if (server !== undefined && rest.state !== undefined) {
    throw wrong("--server and --state name two control planes", "give one of them");
  }
  if (clientKey !== undefined && clientCert === undefined) {
    throw wrong("--client-key belongs to a --client-cert", "give both");
  }
  return context;
}

function pick(flags: ContextFlags): Context {
  const given = properties.filter((name) => flags[name] !== undefined && flags[name] !== "");
  return Object.fromEntries(given.map((name) => [name, flags[name]]));
}

function parseContexts(text: string): ContextFile {
  const value = JSON.parse(text) as Partial<ContextFile> | null;
  const { current, contexts, ...unknown } = value ?? {};
  const isFile =
    typeof contexts === "object" &&
    (current === undefined || typeof current === "string") &&
    Object.keys(unknown).length === 0 &&
    Object.values(contexts).every(isContext);
  if (!isFile) throw new Error("is not what 'weft context' writes");
  return { contexts, ...(current !== undefined && { current }) };
}

function isContext(value: unknown): boolean {
  const known: readonly string[] = properties;
  return (
    typeof value === "object" &&
    value !== null &&
    Object.entries(value).every(([key, one]) => known.includes(key) && typeof one === "string")
  );
}

function wrong(message: string, hint: string, cause?: unknown): UserError {
  return new UserError(message, { hint, exitCode: 2, cause });
}
