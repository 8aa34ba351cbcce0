import { readFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { messageOf, UserError } from "@weft/base/errors";
import { reasonOf } from "@weft/base/system-error";
import { parse } from "yaml";

/** What a request to the API server shows and believes. */
export interface ClusterCredentials {
  /** PEM roots of the server's certificate. */
  readonly ca: string;
  /** Whom the server's certificate names, where that is not the host. */
  readonly serverName?: string;
  readonly authorization?: string;
  /** A client certificate and its key, PEM. */
  readonly cert?: string;
  readonly key?: string;
}

/** Where the API server is. Files that credentials stand in are read with each request: they are renewed there. */
export interface ClusterAccess {
  readonly url: URL;
  /** @throws Error naming the file that cannot be read */
  readonly credentials: () => ClusterCredentials;
}

/** In place of a file: the cluster that this process is a pod of. */
export const inCluster = "in-cluster";

const podFolder = "/var/run/secrets/kubernetes.io/serviceaccount";
const hint = `name a kubeconfig whose context has a server, its certificate authority and a token or client certificate, or '${inCluster}'`;

interface Kubeconfig {
  readonly "current-context"?: unknown;
  readonly contexts?: unknown;
  readonly clusters?: unknown;
  readonly users?: unknown;
}
type Fields = Readonly<Record<string, unknown>>;

/**
 * Reads how a cluster is reached: from a kubeconfig's current context, or as a pod is told.
 * What a kubeconfig says and is not done here (programs that make credentials,
 * servers that are not verified) is refused by name.
 *
 * @throws UserError
 */
export function readClusterAccess(
  where: string,
  {
    env = process.env,
    folder = podFolder,
  }: { readonly env?: NodeJS.ProcessEnv; readonly folder?: string } = {},
): ClusterAccess {
  const access = where === inCluster ? podAccess(env, folder) : kubeconfigAccess(where);
  try {
    access.credentials();
  } catch (cause) {
    throw refusal(where, messageOf(cause), cause);
  }
  return access;
}

function podAccess(env: NodeJS.ProcessEnv, folder: string): ClusterAccess {
  const { KUBERNETES_SERVICE_HOST: host, KUBERNETES_SERVICE_PORT: port = "443" } = env;
  if (!host) throw refusal(inCluster, "KUBERNETES_SERVICE_HOST is not set: this is no pod");
  return {
    url: readServer(inCluster, `https://${host.includes(":") ? `[${host}]` : host}:${port}`),
    credentials: () => ({
      ca: readText(`${folder}/ca.crt`),
      authorization: `Bearer ${readText(`${folder}/token`).trim()}`,
    }),
  };
}

function kubeconfigAccess(file: string): ClusterAccess {
  let config: Kubeconfig;
  try {
    config = parse(readText(file), { maxAliasCount: 0 }) as Kubeconfig;
  } catch (cause) {
    // A parser shows the line it stumbles over, and there are secrets in these.
    throw refusal(file, cause instanceof FileError ? cause.message : "it is not YAML");
  }
  const fail = (problem: string) => refusal(file, problem);
  const named = (list: unknown, name: unknown, kind: string): Fields => {
    const found = Array.isArray(list) && list.find((one: Fields) => one?.name === name)?.[kind];
    if (typeof found !== "object" || found === null)
      throw fail(`there is no ${kind} ${JSON.stringify(name)}`);
    return found as Fields;
  };
  const context = named(config?.contexts, config?.["current-context"], "context");
  const cluster = named(config.clusters, context.cluster, "cluster");
  const user = named(config.users, context.user, "user");
  for (const field of ["insecure-skip-tls-verify", "proxy-url"]) {
    if (cluster[field]) throw fail(`${field} is not taken`);
  }
  for (const field of ["exec", "auth-provider", "username", "password", "as"]) {
    if (user[field]) throw fail(`${field} is not taken: give a token, a tokenFile or a client certificate`);
  }
  const read = sourceOf(file);
  const certificate = read(user, "client-certificate");
  const key = read(user, "client-key");
  if ((certificate === undefined) !== (key === undefined)) {
    throw fail("client-certificate and client-key belong together");
  }
  const ca = read(cluster, "certificate-authority");
  if (!ca) throw fail("the cluster has no certificate-authority");
  const token = tokenOf(user, file);
  if (!token && !certificate) throw fail("the user has neither a token nor a client certificate");
  const serverName = cluster["tls-server-name"];
  return {
    url: readServer(file, cluster.server),
    credentials: () => ({
      ca: ca(),
      ...(typeof serverName === "string" && serverName !== "" && { serverName }),
      ...(token && { authorization: `Bearer ${token()}` }),
      ...(certificate && key && { cert: certificate(), key: key() }),
    }),
  };
}

/** `NAME-data` is the text itself, in base64, and comes before `NAME`, a file beside the kubeconfig. */
function sourceOf(file: string): (from: Fields, name: string) => (() => string) | undefined {
  return (from, name) => {
    const { [`${name}-data`]: data, [name]: path } = from;
    if (typeof data === "string" && data !== "") {
      const text = Buffer.from(data, "base64").toString("utf8");
      return () => text;
    }
    if (typeof path !== "string" || path === "") return undefined;
    return () => readText(resolve(dirname(file), path));
  };
}

function tokenOf(user: Fields, file: string): (() => string) | undefined {
  const { token, tokenFile } = user;
  if (typeof tokenFile === "string" && tokenFile !== "")
    return () => readText(resolve(dirname(file), tokenFile)).trim();
  return typeof token === "string" && token !== "" ? () => token : undefined;
}

function readServer(where: string, server: unknown): URL {
  const url = typeof server === "string" && URL.canParse(server) ? new URL(server) : undefined;
  if (url?.protocol === "https:" && url.username === "" && url.search === "") return url;
  throw refusal(where, "its server is no https URL");
}

class FileError extends Error {}

function readText(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (cause) {
    throw new FileError(`${file}: ${reasonOf(cause)}`);
  }
}

function refusal(where: string, problem: string, cause?: unknown): UserError {
  return new UserError(`--service-account-tokens ${where}: ${problem}`, { hint, exitCode: 2, cause });
}
