/** Real Node applications, of both kinds and of every supported version, hand on the context they are given. */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createServer, type IncomingHttpHeaders, request } from "node:http";
import { connect, createServer as createHttp2Server } from "node:http2";
import type { AddressInfo, Server } from "node:net";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { findPeer } from "../packages/testkit/src/peer.ts";
import { LocalMesh } from "./local-mesh.ts";

const preload = join(import.meta.dirname, "..", "packages", "cli", "dist", "trace-node.cjs");
const folder = join(import.meta.dirname, "trace-node");
const kinds = { CommonJS: join(folder, "app.cjs"), "ES modules": join(folder, "app.mjs") } as const;
const nodes: Readonly<Record<string, string | undefined>> = {
  "Node 18": findPeer("node-18"),
  "Node 20": findPeer("node-20"),
  "Node 22": findPeer("node-22"),
  [`Node ${process.versions.node.split(".")[0]}`]: process.execPath,
};
const ways = ["get", "request", "list", "continue", "queued", "fetch", "http2"] as const;

type Heard = Readonly<Record<string, unknown>>;
/** How the application's calls came, by path. */
const heard = new Map<string, Heard>();
let http: Server;
let http2: Server;

before(async () => {
  const plain = createServer((message, response) => {
    heard.set(message.url!, message.headers);
    message.resume().on("end", () => response.end("ok"));
  });
  const streams = createHttp2Server();
  streams.on("stream", (stream, headers) => {
    heard.set(headers[":path"]!, headers);
    stream.respond({ ":status": 200 });
    stream.end("ok");
  });
  [http, http2] = [plain, streams];
  for (const server of [http, http2]) {
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
  }
});
after(() => {
  for (const server of [http, http2]) server?.close();
});

const originOf = (server: Server) => `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

interface App {
  readonly ports: Readonly<Record<"plain" | "compatible" | "streaming", number>>;
  readonly said: () => string;
  close(): Promise<unknown>;
}

async function start(node: string, file: string, options = `--require ${preload}`): Promise<App> {
  const env = {
    ...process.env,
    TARGET: originOf(http),
    HTTP2_ORIGIN: originOf(http2),
    NODE_OPTIONS: options,
  };
  const child: ChildProcess = spawn(node, [file], { env, stdio: ["pipe", "pipe", "pipe"] });
  let said = "";
  child.stderr!.on("data", (chunk) => {
    said += chunk;
  });
  const [line] = await Promise.race([
    once(child.stdout!, "data"),
    once(child, "exit").then(() => assert.fail(`the application ended: ${said}`)),
  ]);
  return {
    ports: JSON.parse(String(line)),
    said: () => said,
    close: () => {
      child.stdin!.end();
      return once(child, "exit");
    },
  };
}

/** A request whose body comes in two parts, so that its end is told by itself. */
function post(port: number, path: string, headers: IncomingHttpHeaders): Promise<number> {
  return new Promise((resolve, reject) => {
    const call = request({ port, host: "127.0.0.1", path, method: "POST", headers }, (answer) => {
      answer.resume().on("end", () => resolve(answer.statusCode!));
    });
    call.on("error", reject);
    call.write("one");
    setTimeout(() => call.end("two"), 5);
  });
}

async function postHttp2(port: number, path: string, headers: IncomingHttpHeaders): Promise<number> {
  const session = connect(`http://127.0.0.1:${port}`);
  const stream = session.request({ ...headers, ":method": "POST", ":path": path });
  stream.write("one");
  setTimeout(() => stream.end("two"), 5);
  const [answer] = await once(stream, "response");
  stream.resume();
  await once(stream, "end");
  session.close();
  return answer[":status"];
}

const contextOf = (n: number) => ({
  traceparent: `00-${String(n).padStart(32, "a")}-00000000000000aa-01`,
  tracestate: `vendor=${n}`,
  b3: `${String(n).padStart(32, "b")}-00000000000000bb-1`,
  "x-b3-traceid": String(n).padStart(32, "c"),
  "x-b3-sampled": "1",
  "x-request-id": `request-${n}`,
});

function pick(headers: Heard | undefined, names: readonly string[]): Heard {
  return Object.fromEntries(
    names.flatMap((name) => (headers?.[name] === undefined ? [] : [[name, headers[name]]])),
  );
}
const names = Object.keys(contextOf(0));

for (const [version, node] of Object.entries(nodes)) {
  for (const [kind, file] of Object.entries(kinds)) {
    describe(`${version}, ${kind}`, { skip: node ? false : `no ${version}` }, () => {
      let app: App;
      before(async () => {
        app = await start(node!, file);
      });
      after(() => app?.close());

      test("each of many requests at once hands on its own context, whatever it calls with", async () => {
        heard.clear();
        const asked = Array.from({ length: 8 * ways.length }, (_, n) => {
          const path = `/${ways[n % ways.length]}/${n}`;
          return { n, path, context: n % 4 === 3 ? {} : contextOf(n) };
        });
        const statuses = await Promise.all(
          asked.map(({ path, context }) => post(app.ports.plain, path, context)),
        );
        assert.deepEqual(new Set(statuses), new Set([200]), app.said());
        for (const { path, context } of asked) {
          for (const turn of ["first", "second"]) {
            assert.deepEqual(pick(heard.get(`${path}/${turn}`), names), context, `${path}/${turn}`);
          }
        }
        assert.equal(app.said(), "");
      });

      test("requests that come by HTTP/2 do so too", async () => {
        for (const server of ["compatible", "streaming"] as const) {
          const context = contextOf(server.length);
          assert.equal(await postHttp2(app.ports[server], `/get/${server}`, context), 200);
          assert.deepEqual(pick(heard.get(`/get/${server}/second`), names), context, server);
        }
      });

      test("an application with a trace of its own keeps it, and no part of another is added", async () => {
        await post(app.ports.plain, "/own/1", contextOf(1));
        const expected = { traceparent: "of-its-own", "x-request-id": "request-1" };
        assert.deepEqual(pick(heard.get("/own/1/first"), names), expected);
      });
    });
  }
}

test("without it the context ends at the application", async () => {
  const app = await start(process.execPath, kinds.CommonJS, "");
  await post(app.ports.plain, "/get/without", contextOf(1));
  assert.deepEqual(pick(heard.get("/get/without/first"), names), {});
  await app.close();
});

test("where Node is not as it should be the application runs without, and that is told once", async () => {
  const app = await start(
    process.execPath,
    kinds.CommonJS,
    `--require ${join(folder, "freeze.cjs")} --require ${preload}`,
  );
  assert.equal(await post(app.ports.plain, "/get/frozen", contextOf(1)), 200);
  assert.deepEqual(pick(heard.get("/get/frozen/first"), names), {});
  assert.equal(await post(app.ports.plain, "/fetch/frozen", contextOf(1)), 200);
  assert.deepEqual(pick(heard.get("/fetch/frozen/first"), names), contextOf(1));
  await app.close();
  assert.match(app.said(), /^weft: trace context is not forwarded everywhere: TypeError: [^\n]*\n$/);
});

test("weft run --trace-node: a request keeps its id and its trace through an application", async () => {
  const mesh = await LocalMesh.start();
  try {
    const behind = `require("http").createServer((q, s) => s.end(JSON.stringify(q.headers))).listen(8080, ${JSON.stringify(mesh.addressOf(2))})`;
    const backend = ["--port", "8080:http", "--inbound-port", "8080=18080"];
    await mesh.run("backend", 2, backend, [process.execPath, "-e", behind]);
    for (const [name, host, more] of [
      ["follows", 1, ["--trace-node"]],
      ["forgets", 3, []],
    ] as const) {
      const address = mesh.addressOf(host);
      const upstream = ["--upstream", `backend:8080=${address}:20000`];
      const relay = `require("http").createServer((q, s) => require("http").get("http://${address}:20000/", (a) => a.pipe(s.writeHead(a.statusCode)))).listen(9000, "${address}")`;
      const flags = ["--port", "9000:http", "--inbound-port", "9000=19000", ...upstream, ...more];
      await mesh.run(name, host, flags, [process.execPath, "-e", relay]);
    }
    await mesh.weft("apply", "-f", join(folder, "permissive.yaml"));
    const ask = async (host: number) => {
      const headers = {
        "x-request-id": "4bf92f35-77b3-4da6-a3ce-929d0e0e4736",
        ...pick(contextOf(7), ["traceparent"]),
      };
      const url = `http://${mesh.addressOf(host)}:19000/`;
      const answer = await fetch(url, { headers: headers as Record<string, string> }).catch(() => undefined);
      return answer?.ok ? { sent: headers as Heard, got: (await answer.json()) as Heard } : undefined;
    };
    await mesh.until("both answer", async () => Boolean((await ask(1)) && (await ask(3))));
    const { sent, got } = (await ask(1))!;
    assert.deepEqual(pick(got, Object.keys(sent)), sent);
    const other = (await ask(3))!;
    assert.notEqual(other.got["x-request-id"], other.sent["x-request-id"]);
    assert.equal(other.got.traceparent, undefined);
  } finally {
    await mesh.close();
  }
});
