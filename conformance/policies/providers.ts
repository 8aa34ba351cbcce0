/** Authorization services for tests: who says "yes" in `x-answer` may, and who is called `friend` may connect. */
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { startGrpcService } from "@weft/proxy/filters/test-grpc-service";
import {
  CheckRequestSchema,
  CheckResponseSchema,
} from "@weft/xds/gen/envoy/service/auth/v3/external_auth_pb";

export interface Provider {
  readonly port: number;
  /** Paths it was asked about, or who connects; oldest first. */
  readonly asked: string[];
  close(): void;
}

export async function startHttpProvider(): Promise<Provider> {
  const asked: string[] = [];
  const server = createServer((request, response) => {
    asked.push(request.url!);
    const isGood = request.headers["x-answer"] === "yes";
    response.writeHead(isGood ? 200 : 401, { "x-checked": "by-http", "x-secret": "hidden" });
    response.end(isGood ? "" : "no by http");
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  return {
    port: (server.address() as AddressInfo).port,
    asked,
    close() {
      server.close();
      server.closeAllConnections();
    },
  };
}

export async function startGrpcProvider(): Promise<Provider> {
  const asked: string[] = [];
  const service = await startGrpcService("/envoy.service.auth.v3.Authorization/Check", (bytes) => {
    const { request, source } = fromBinary(CheckRequestSchema, bytes).attributes!;
    const { headers = {}, path } = request?.http ?? {};
    // About a connection nothing is known but who makes it.
    const who = source?.principal ?? "";
    asked.push(path ?? who);
    const isGood = path === undefined ? who.endsWith("/friend") : headers["x-answer"] === "yes";
    const code = isGood ? 0 : 7;
    return toBinary(CheckResponseSchema, create(CheckResponseSchema, { status: { code } }));
  });
  return { port: service.port, asked, close: () => service.close() };
}
