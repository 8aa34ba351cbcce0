import type { IncomingMessage, ServerResponse } from "node:http";
import type { Clock } from "@weft/base/clock";
import { readAccessFile } from "../access/access-file.ts";
import { RemoteAccess } from "../access/authenticate-remote.ts";
import { CertificateFiles } from "../access/certificate-files.ts";
import { type ListenerCertificate, RemoteListener } from "../access/remote-listener.ts";
import { keySourcesOfIssuers } from "../access/token-access.ts";
import { serveApi } from "../api/serve-api.ts";
import type { CaLog } from "../ca/ca-log.ts";
import type { ServingCertificate } from "../ca/serving-certificate.ts";
import { type JwksOptions, keyFetch } from "../jwks/key-fetch.ts";
import { KeySetCache } from "../jwks/key-set-cache.ts";
import type { Composition } from "./composition.ts";

/** The API for operators elsewhere. */
export interface RemoteApiOptions {
  readonly host: string;
  /** 0 takes a free port. */
  readonly port: number;
  /** Who may do what: see docs/operators.md. */
  readonly usersFile: string;
  /** PEM files; default: the control plane's own certificate, of the mesh's authority. */
  readonly certificateFiles?: { readonly certificate: string; readonly key: string };
}

export interface RemoteApi {
  readonly port: number;
  close(): Promise<void>;
}

export interface RemoteApiParts {
  readonly plane: Composition;
  readonly serving: ServingCertificate;
  readonly clock: Clock;
  readonly log: CaLog;
  readonly jwks?: JwksOptions;
}

/** How long a start waits for the keys of token issuers. */
const keysPatienceMs = 5_000;

/**
 * Opens the API to the network, with the dashboard beside it.
 *
 * @throws UserError for what a person can put right
 */
export async function openRemoteApi(options: RemoteApiOptions, parts: RemoteApiParts): Promise<RemoteApi> {
  const { plane, clock, log, serving, jwks = {} } = parts;
  const rules = readAccessFile(options.usersFile);
  const keys = new KeySetCache({
    clock,
    fetch: keyFetch(jwks),
    onChange: () => {},
    onFetched: (url, problem) => {
      if (problem !== undefined) log.warn({ url }, `keys of operators' tokens: ${url}: ${problem}`);
    },
  });
  const access = new RemoteAccess({
    rules,
    sessions: plane.sessions,
    clock,
    verifyPeer: (chain) => plane.authority.verifyPeer(chain),
    keysOf: (url) => keys.current.get(url),
    servedNames: () => listener.names,
  });
  const setCertificate = (next: ListenerCertificate): void => listener.setCertificate(next);
  const files =
    options.certificateFiles &&
    new CertificateFiles({
      ...options.certificateFiles,
      clock,
      onChange: setCertificate,
      onProblem: (problem) => log.warn({}, problem),
    });
  const close = async (): Promise<void> => {
    files?.close();
    keys.close();
  };
  let listener: RemoteListener;
  try {
    keys.follow(keySourcesOfIssuers(rules.tokens ?? []));
    await keys.settled(keysPatienceMs);
    const certificate = files?.current ?? serving.current;
    const { host, port } = options;
    listener = await RemoteListener.open({ host, port, certificate, serve: handlerOf(plane, access) });
  } catch (error) {
    await close();
    throw error;
  }
  if (!files) serving.onChange(setCertificate);
  return {
    port: listener.port,
    async close() {
      await listener.close();
      await close();
    },
  };
}

function handlerOf(
  plane: Composition,
  access: RemoteAccess,
): (request: IncomingMessage, response: ServerResponse) => void {
  const authenticate = (request: IncomingMessage) => access.authenticate(request);
  const admit = (request: IncomingMessage) => access.admit(request);
  const originOf = ({ headers }: IncomingMessage) => `https://${headers.host}`;
  const api = serveApi({
    backend: plane.api,
    authenticate,
    originOf,
    record: plane.record,
    logError: plane.onError,
  });
  const dashboard = plane.dashboard.serve({ authenticate, admit });
  return (request, response) => {
    const path = (request.url ?? "/").split("?", 1)[0]!;
    const isPage = path === "/" || path === "/dashboard" || path.startsWith("/dashboard/");
    return isPage ? dashboard(request, response) : api(request, response);
  };
}
