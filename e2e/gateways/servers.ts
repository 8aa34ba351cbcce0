/** What gateways lead to: applications, as scripts of their own processes, and a server outside the mesh. */
import { createServer, type Server } from "node:https";
import type { TLSSocket } from "node:tls";
import type { TestCa, TestSvid } from "../../packages/testkit/src/test-ca.ts";

/** Answers with what arrived, so that a test sees a request as the application does. */
export const echo = (address: string, port: number) => `
  require("http").createServer((request, response) => {
    response.setHeader("content-type", "application/json");
    response.end(JSON.stringify({ service: process.env.NAME, path: request.url, headers: request.headers }));
  }).listen(${port}, ${JSON.stringify(address)});
`;

/** An application that speaks TLS itself, which no gateway ends. */
export const secure = (address: string, { chainPem, keyPem }: TestSvid) => `
  require("https").createServer(${JSON.stringify({ cert: chainPem, key: keyPem })}, (request, response) => {
    response.end(JSON.stringify({ service: "secure", path: request.url, headers: request.headers }));
  }).listen(9443, ${JSON.stringify(address)});
`;

/** What a backend says: whom it was proved to be called by, and of which client it was told. */
export interface BackendAnswer {
  readonly caller: string;
  readonly told: string;
}

/** A server in this process, outside the mesh, that verifies its callers by an authority and serves all of them. */
export async function startBackend({ chainPem, keyPem }: TestSvid, callers: TestCa): Promise<Server> {
  const tls = { cert: chainPem, key: keyPem, ca: callers.bundlePem };
  const asks = { requestCert: true, rejectUnauthorized: false };
  const backend = createServer({ ...tls, ...asks }, ({ socket, headers }, response) => {
    const { authorized } = socket as TLSSocket;
    const shown = authorized && (socket as TLSSocket).getPeerX509Certificate()?.subjectAltName;
    const told = `${headers["x-forwarded-client-cert"] ?? ""}`;
    const answer: BackendAnswer = { caller: shown || "nobody", told };
    response.setHeader("connection", "close");
    response.end(JSON.stringify(answer));
  });
  await new Promise<void>((resolve) => backend.listen(0, "127.0.0.1", resolve));
  return backend;
}
