/**
 * A gRPC application for tests, alike in each language:
 *
 *   peer server ADDRESS:PORT NAME [plain]      answers with NAME
 *   peer client TARGET HTTP_ADDRESS:PORT [plain]  calls when asked: GET /?count=10&message=hi&to=v1
 *
 * `plain` leaves everything to a sidecar; otherwise gRPC's own xDS is the data plane.
 * A message `fail:ID` is answered UNAVAILABLE, `flaky:ID` the first time only,
 * and `count:ID` with how often ID was tried.
 */
import { createServer } from "node:http";
import grpc from "@grpc/grpc-js";
import * as xds from "@grpc/grpc-js-xds";

xds.register();
const [role, where, what, mode] = process.argv.slice(2);
const isPlain = mode === "plain";

/** `google.protobuf.StringValue` */
const encode = (text) => {
  const bytes = Buffer.from(text);
  return Buffer.concat([Buffer.from([0x0a, bytes.length]), bytes]);
};
const decode = (bytes) => bytes.subarray(2).toString();
const definition = {
  call: {
    path: "/weft.test.Echo/Call",
    requestStream: false,
    responseStream: false,
    requestSerialize: encode,
    requestDeserialize: decode,
    responseSerialize: encode,
    responseDeserialize: decode,
  },
};

if (role === "server") serve();
else call();

function serve() {
  const tries = new Map();
  const server = isPlain ? new grpc.Server() : new xds.XdsServer();
  server.addService(definition, {
    call({ request }, callback) {
      const [verb, id] = request.split(":");
      const before = tries.get(id) ?? 0;
      if (verb === "count") return callback(null, String(before));
      if (id !== undefined) tries.set(id, before + 1);
      if (verb === "fail" || (verb === "flaky" && before === 0)) {
        return callback({ code: grpc.status.UNAVAILABLE, details: "as asked" });
      }
      callback(null, what);
    },
  });
  const insecure = grpc.ServerCredentials.createInsecure();
  const credentials = isPlain ? insecure : new xds.XdsServerCredentials(insecure);
  server.bindAsync(where, credentials, (error) => {
    if (error) throw error;
    console.log(`serving on ${where}`);
  });
}

function call() {
  const insecure = grpc.credentials.createInsecure();
  const credentials = isPlain ? insecure : new xds.XdsChannelCredentials(insecure);
  const Client = grpc.makeClientConstructor(definition, "weft.test.Echo");
  const client = new Client(where, credentials);
  const once = (message, to) =>
    new Promise((resolve) => {
      const metadata = new grpc.Metadata();
      if (to) metadata.set("to", to);
      const options = { deadline: Date.now() + 5_000 };
      client.call(message, metadata, options, (error, answer) =>
        resolve(error ? `${grpc.status[error.code]}: ${error.details}` : answer),
      );
    });
  const [host, port] = [what.slice(0, what.lastIndexOf(":")), what.slice(what.lastIndexOf(":") + 1)];
  createServer(async (request, response) => {
    const query = new URL(request.url, "http://peer").searchParams;
    const answers = {};
    for (let left = Number(query.get("count") ?? 1); left > 0; left -= 1) {
      const answer = await once(query.get("message") ?? "hi", query.get("to"));
      answers[answer] = (answers[answer] ?? 0) + 1;
    }
    response.end(JSON.stringify(answers));
  }).listen(Number(port), host);
}
