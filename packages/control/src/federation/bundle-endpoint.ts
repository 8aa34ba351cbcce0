import { readFileSync, statSync } from "node:fs";
import { createServer } from "node:https";
import type { SecureContextOptions } from "node:tls";
import { safeCipherSuites } from "@weft/base/cipher-suites";
import type { Clock, Timer } from "@weft/base/clock";
import { messageOf, UserError } from "@weft/base/errors";
import { listenOn } from "@weft/xds/grpc/listen-on";
import type { ServingCertificate } from "../ca/serving-certificate.ts";

/** A certificate for the host name, which serves `https_web`; without one the endpoint serves `https_spiffe`. */
export interface WebCertificate {
  readonly certificateFile: string;
  readonly keyFile: string;
}

export interface BundleEndpointOptions {
  readonly address: string;
  /** 0 takes a free port. */
  readonly port: number;
  readonly web: WebCertificate | undefined;
  readonly serving: Pick<ServingCertificate, "current" | "onChange">;
  /** The bundle document of now. */
  readonly document: () => string;
  readonly clock: Clock;
  readonly onError: (error: unknown) => void;
}

export interface BundleEndpoint {
  readonly port: number;
  close(): Promise<void>;
}

/** How often it is seen whether a certificate's files were replaced. */
const lookMs = 60_000;
const idleMs = 10_000;

/**
 * Serves the bundle of this trust domain, at `/` and to everybody: it holds
 * public keys alone, and whoever reads it recognises the endpoint first.
 *
 * @throws UserError when it cannot listen, or the certificate cannot be used
 * @see SPIFFE Federation §5.2.1.3, §5.2.2.3
 */
export async function startBundleEndpoint(options: BundleEndpointOptions): Promise<BundleEndpoint> {
  const { web, serving, clock, onError } = options;
  const tls = (): SecureContextOptions => (web ? webTls(web) : servingTls(serving.current));
  const server = createServer(
    {
      ...tls(),
      minVersion: "TLSv1.2",
      ciphers: safeCipherSuites,
      maxHeaderSize: 8 << 10,
      requestTimeout: idleMs,
      handshakeTimeout: idleMs,
    },
    (request, response) => {
      const isRead = request.method === "GET" || request.method === "HEAD";
      const isBundle = (request.url ?? "").split("?", 1)[0] === "/";
      const status = !isRead ? 405 : isBundle ? 200 : 404;
      const body = status === 200 ? options.document() : "";
      response.writeHead(status, {
        "content-type": "application/json",
        "content-length": Buffer.byteLength(body),
      });
      response.end(request.method === "HEAD" ? undefined : body);
    },
  );
  server.maxConnections = 256;
  server.keepAliveTimeout = idleMs;
  const { port } = await listenOn(server, { host: options.address, port: options.port });
  const renew = (): void => {
    try {
      server.setSecureContext({ ...tls(), minVersion: "TLSv1.2", ciphers: safeCipherSuites });
    } catch (error) {
      onError(error);
    }
  };
  const forget = web ? watchFiles(web, clock, renew) : serving.onChange(renew);
  return {
    port,
    close: () =>
      new Promise((resolve) => {
        forget();
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function servingTls({ keyPem, chainPem }: ServingCertificate["current"]): SecureContextOptions {
  return { key: keyPem, cert: chainPem };
}

function webTls({ certificateFile, keyFile }: WebCertificate): SecureContextOptions {
  return {
    cert: read("--federation-cert", certificateFile),
    key: read("--federation-key", keyFile),
  };
}

function read(flag: string, file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    throw new UserError(`${flag}: ${messageOf(error)}`, { exitCode: 2, cause: error });
  }
}

function watchFiles(files: WebCertificate, clock: Clock, onChange: () => void): () => void {
  let seen = timesOf(files);
  let timer: Timer;
  const look = (): void => {
    const now = timesOf(files);
    if (now !== seen) onChange();
    seen = now;
    timer = clock.setTimer(look, lookMs);
  };
  timer = clock.setTimer(look, lookMs);
  return () => timer.cancel();
}

/** "" for a file that is not there: one that is being replaced. */
function timesOf({ certificateFile, keyFile }: WebCertificate): string {
  return [certificateFile, keyFile]
    .map((file) => statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? "")
    .join(" ");
}
