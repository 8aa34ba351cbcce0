import { connect, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import type { TestSvid } from "@weft/testkit/test-ca";

/** How a client comes: in clear, or over TLS with or without a certificate. */
export interface Approach {
  readonly port: number;
  /** Says that nothing more comes once the bytes are sent. */
  readonly endsAfterwards?: boolean;
  /** Undefined: in clear. */
  readonly tls?: { readonly svid?: TestSvid; readonly serverName?: string; readonly maxVersion?: "TLSv1.2" };
}

/** What came back until the connection ended. */
export interface Reply {
  /** 0 where no answer came. */
  readonly status: number;
  readonly text: string;
  /** Why the connection was not made, or broke. */
  readonly error: string;
}

const patienceMs = 20_000;

/** Sends bytes as they are and reads until the other side ends. */
export function exchange({ port, tls, endsAfterwards = false }: Approach, bytes: string): Promise<Reply> {
  const target = { port, host: "127.0.0.1" };
  return new Promise((resolve) => {
    let text = "";
    let error = "";
    const socket: Socket = tls
      ? connectTls({
          ...target,
          rejectUnauthorized: false,
          servername: tls.serverName ?? "api.default.svc.cluster.local",
          ALPNProtocols: ["http/1.1"],
          maxVersion: tls.maxVersion,
          cert: tls.svid?.chainPem,
          key: tls.svid?.keyPem,
        })
      : connect(target);
    const timer = setTimeout(() => {
      error = "the connection was left open";
      socket.destroy();
    }, patienceMs);
    const finish = (): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve({ status: Number(/^HTTP\/1\.\d (\d{3})/.exec(text)?.[1] ?? 0), text, error });
    };
    socket.once(tls ? "secureConnect" : "connect", () => {
      socket.write(Buffer.from(bytes, "latin1"));
      if (endsAfterwards) socket.end();
    });
    socket.on("data", (chunk) => {
      text += chunk.toString("latin1");
      if (isOver(text)) finish();
    });
    socket.on("error", (cause) => {
      error = cause.message;
    });
    socket.on("end", finish);
    socket.on("close", finish);
  });
}

/** Whether an answer is complete and says itself that no other follows. */
function isOver(text: string): boolean {
  const end = text.indexOf("\r\n\r\n");
  const head = text.slice(0, end);
  const length = /^content-length: (\d+)\r?$/im.exec(head)?.[1];
  if (end < 0 || length === undefined || !/^connection: close\r?$/im.test(head)) return false;
  return text.length >= end + 4 + Number(length);
}

/** A request that asks for the end of its connection; header lines as given. */
export function request(line: string, ...headers: readonly string[]): string {
  const all = headers.some((one) => /^host:/i.test(one)) ? headers : ["host: api", ...headers];
  return [`${line} HTTP/1.1`, ...all, "connection: close", "", ""].join("\r\n");
}
