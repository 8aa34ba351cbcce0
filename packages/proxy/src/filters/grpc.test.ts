import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { after, before, describe, it } from "node:test";
import { findPeer } from "@weft/testkit/peer";
import {
  chainPlan,
  clusterPlan,
  forwardTo,
  httpPlan,
  listenerPlan,
  routesTo,
  startTestProxy,
  type TestProxy,
} from "../listener/test-proxy.ts";

/** What is used here of `@grpc/grpc-js`, which comes with a peer. */
interface Grpc {
  readonly Server: new () => GrpcServer;
  readonly ServerCredentials: { createInsecure(): unknown };
  readonly Metadata: new () => { set(key: string, value: string): void };
  readonly credentials: { createInsecure(): unknown };
  makeGenericClientConstructor(
    service: object,
    name: string,
  ): new (
    address: string,
    how: unknown,
  ) => GrpcClient;
}
interface GrpcServer {
  addService(service: object, methods: object): void;
  bindAsync(address: string, how: unknown, onBound: (error: Error | null, port: number) => void): void;
  forceShutdown(): void;
}
interface Call {
  on(event: string, listener: (value: never) => void): this;
  write(message: string): void;
  end(message?: string): void;
  readonly metadata: { get(name: string): unknown[] };
}
interface GrpcError extends Error {
  readonly code: number;
  readonly details: string;
  readonly metadata: { get(name: string): unknown[] };
}
type Callback = (error: Partial<GrpcError> | null, answer?: string) => void;
interface GrpcClient {
  unary(message: string, onAnswer: Callback): Call;
  download(message: string): Call;
  upload(onAnswer: Callback): Call;
  chat(): Call;
  close(): void;
}

const peer = findPeer("weft-grpc-node");
const text = {
  serialize: (message: string) => Buffer.from(message),
  deserialize: (bytes: Buffer) => `${bytes}`,
};
const method = (name: string, requestStream: boolean, responseStream: boolean) => ({
  path: `/weft.test.Kinds/${name}`,
  requestStream,
  responseStream,
  requestSerialize: text.serialize,
  requestDeserialize: text.deserialize,
  responseSerialize: text.serialize,
  responseDeserialize: text.deserialize,
});
const service = {
  unary: method("Unary", false, false),
  download: method("Download", false, true),
  upload: method("Upload", true, false),
  chat: method("Chat", true, true),
};

function serve(grpc: Grpc): Promise<{ readonly port: number; readonly server: GrpcServer }> {
  const server = new grpc.Server();
  server.addService(service, {
    unary({ request }: { readonly request: string }, answer: Callback) {
      if (request !== "fail") return answer(null, `hello ${request}`);
      const metadata = new grpc.Metadata();
      metadata.set("x-why", "as asked");
      answer({ code: 9, details: "not now: 100% sure", metadata: metadata as never });
    },
    download(call: Call & { readonly request: string; emit(event: string, error: object): void }) {
      for (let i = 0; i < 100; i++) call.write(call.request.repeat(1000));
      if (call.request === "f") call.emit("error", { code: 10, details: "half-way" });
      else call.end();
    },
    upload(call: Call, answer: Callback) {
      let bytes = 0;
      call.on("data", (message: string) => {
        bytes += message.length;
      });
      call.on("end", () => answer(null, `${bytes} bytes`));
    },
    chat(call: Call) {
      call.on("data", (message: string) => call.write(`re: ${message}`));
      call.on("end", () => call.end());
    },
  });
  return new Promise((resolve, reject) => {
    server.bindAsync("127.0.0.1:0", grpc.ServerCredentials.createInsecure(), (error, port) => {
      if (error) reject(error);
      else resolve({ port, server });
    });
  });
}

describe("gRPC through HTTP/2 on both sides", { skip: peer ? false : "no weft-grpc-node found" }, () => {
  let proxy: TestProxy;
  let server: GrpcServer;
  const clients: GrpcClient[] = [];
  let clientOf: (listener: string) => GrpcClient;

  before(async () => {
    const grpc = createRequire(`${peer}-files/`)("@grpc/grpc-js") as Grpc;
    const started = await serve(grpc);
    server = started.server;
    const listener = (name: string, routes: ReturnType<typeof routesTo>) =>
      listenerPlan([chainPlan(httpPlan({ routes }))], { name });
    proxy = await startTestProxy(
      [
        listener("main", routesTo(forwardTo("upstream"))),
        listener(
          "lost",
          routesTo(() => undefined),
        ),
        listener("dead", routesTo(forwardTo("dead"))),
        listener("empty", routesTo(forwardTo("empty"))),
      ],
      [
        clusterPlan([{ kind: "ip", host: "127.0.0.1", port: started.port }], { protocol: "http2" }),
        clusterPlan([{ kind: "ip", host: "127.0.0.1", port: 1 }], { name: "dead", protocol: "http2" }),
        clusterPlan([], { name: "empty", protocol: "http2" }),
      ],
    );
    const Client = grpc.makeGenericClientConstructor(service, "Kinds");
    clientOf = (name) => {
      const client = new Client(`127.0.0.1:${proxy.port(name)}`, grpc.credentials.createInsecure());
      clients.push(client);
      return client;
    };
  });

  after(async () => {
    for (const client of clients) client.close();
    server?.forceShutdown();
    await proxy?.close();
  });

  const unary = (listener: string, message: string) =>
    new Promise<string | GrpcError>((resolve) => {
      clientOf(listener).unary(message, (error, answer) => resolve((error as GrpcError) ?? answer!));
    });

  function collect(
    call: Call,
  ): Promise<{ readonly messages: string[]; readonly error: GrpcError | undefined }> {
    const messages: string[] = [];
    return new Promise((resolve) => {
      call.on("data", (message: string) => messages.push(message));
      call.on("error", (error: GrpcError) => resolve({ messages, error }));
      call.on("end", () => resolve({ messages, error: undefined }));
    });
  }

  it("answers a unary call", async () => assert.equal(await unary("main", "you"), "hello you"));

  it("hands an error on with its message and metadata, in trailers only", async () => {
    const error = (await unary("main", "fail")) as GrpcError;
    assert.deepEqual(
      [error.code, error.details, error.metadata.get("x-why")],
      [9, "not now: 100% sure", ["as asked"]],
    );
  });

  it("streams answers", async () => {
    const { messages, error } = await collect(clientOf("main").download("x"));
    assert.equal(error, undefined);
    assert.deepEqual([messages.length, messages.join("").length], [100, 100_000]);
  });

  it("hands on an error that ends a stream", async () => {
    const { error } = await collect(clientOf("main").download("f"));
    assert.deepEqual([error?.code, error?.details], [10, "half-way"]);
  });

  it("streams requests", async () => {
    const answer = await new Promise((resolve, reject) => {
      const call = clientOf("main").upload((error, text) => (error ? reject(error) : resolve(text)));
      for (let i = 0; i < 100; i++) call.write("y".repeat(2000));
      call.end();
    });
    assert.equal(answer, "200000 bytes");
  });

  it("streams both ways at once", async () => {
    const call = clientOf("main").chat();
    const heard = collect(call);
    call.on("data", (message: string) => {
      if (message === "re: 9") call.end();
      else call.write(`${Number(message.slice(4)) + 1}`);
    });
    call.write("0");
    assert.equal((await heard).messages.join(), Array.from({ length: 10 }, (_, i) => `re: ${i}`).join());
  });

  const refusals: [what: string, listener: string, code: number, details: RegExp][] = [
    ["no route", "lost", 12, /^$/],
    ["no endpoint", "empty", 14, /^no healthy upstream$/],
    ["nobody at the endpoint", "dead", 14, /^upstream connect error/],
  ];
  for (const [what, listener, code, details] of refusals) {
    it(`says ${what} in gRPC's words`, async () => {
      const error = (await unary(listener, "x")) as GrpcError;
      assert.equal(error.code, code);
      assert.match(error.details, details);
    });
  }
});
