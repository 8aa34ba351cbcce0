import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { request as httpRequest } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { findPeer } from "@weft/testkit/peer";
import { untilFound } from "@weft/testkit/until";
import { HeaderList } from "../layer/header-list.ts";
import type { RequestHead } from "../layer/message.ts";
import type { RouteTable } from "../route/route-plan.ts";
import { compileText } from "./testing.ts";

const file = join(import.meta.dirname, "testdata", "route-choice.yaml");
const envoy = findPeer("envoy");

interface Sent {
  readonly host: string;
  readonly path: string;
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string | string[]>>;
}

const get = (host: string, path: string, headers?: Sent["headers"]): Sent => ({ host, path, headers });

const hosts = [
  "exact.example.com",
  "EXACT.example.COM",
  "exact.example.com:8080",
  "exact.example.com:9090",
  "upper.example.com",
  "a.example.com",
  ".example.com",
  "example.com",
  "a.deep.example.com",
  "deep.example.com",
  "b.a.deep.example.com",
  "a-x.example.org",
  "-x.example.org",
  "exact.net",
  "exact.",
  "pre.example.com",
  "pre.net",
  "unknown",
  "127.0.0.1:80",
];

const headerPaths = [
  "exact",
  "joined",
  "icase",
  "prefix",
  "suffix",
  "contains",
  "regex",
  "present",
  "absent",
  "notpresent",
  "notabsent",
  "named",
  "notexact",
  "empty",
  "notempty",
  "range",
  "notrange",
  "both",
];

const headerValues: readonly Sent["headers"][] = [
  {},
  { a: "1" },
  { A: "1" },
  { a: "12" },
  { a: "21" },
  { a: "ONE" },
  { a: "" },
  { a: "-10" },
  { a: "10" },
  { a: "9" },
  { a: "+5" },
  { a: " 5 " },
  { a: "1x" },
  { a: ["1", "2"] },
  { a: ["2", "1"] },
  { a: "1,2" },
  { a: ["", "1"] },
  { a: "1", b: "x" },
  { a: "99999999999999999999" },
];

const cases: readonly Sent[] = [
  ...hosts.map((host) => get(host, "/")),
  ...headerPaths.flatMap((path) => headerValues.map((headers) => get("headers", `/${path}`, headers))),
  { host: "headers", path: "/method", method: "POST" },
  get("headers", "/method"),
  get("headers", "/path?q"),
  get("headers", "/path"),
  get("headers", "/authority"),
  get("headers", "/hosth"),
  ...[
    "",
    "?a=1%202",
    "?a=1+2",
    "?a",
    "?a=",
    "?b=1&a=1%202",
    "?a=1&a=1%202",
    "?ab=1",
    "?b",
    "?%61=1%202",
    "?a==1",
  ].flatMap((query) =>
    ["value", "present", "absent", "named", "blank"].map((path) => get("query", `/${path}${query}`)),
  ),
  ...[
    "/https",
    "/https?x=1",
    "/port",
    "/port/x?y",
    "/host/a?b",
    "/scheme/a",
    "/path/a?b=1",
    "/query?b=1",
    "/strip?b=1",
    "/justStrip/a?b=1",
    "/rewrite/a/b?c",
    "/re/x?y=1",
    "/regex/a/b?c=d",
    "/none",
  ].flatMap((path) => ["redirects", "redirects:80", "redirects:8080"].map((host) => get(host, path))),
  get("redirects:80", "/https", { "x-forwarded-proto": "https" }),
  get("tls", "/x?y"),
  ...[
    "/exact",
    "/exact?q",
    "/exact/",
    "/exactly",
    "/Exact",
    "/case",
    "/CASE?x",
    "/Case/",
    "/pre",
    "/PREfix",
    "/sep",
    "/sep/",
    "/sep/x",
    "/sep?x",
    "/separate",
    "/SEPCASE/x",
    "/sepcases",
    "/re/abc",
    "/re/abc?x",
    "/re/abc1",
    "/re/",
    "/q?x",
    "/q",
    "/a",
    "/ab",
    "/a/b",
    "/a/b/c",
    "/a/bc",
    "/none",
    "/full",
    "/only",
    "/",
    "//a",
    "/%61",
    "/a%2Fb",
    "/.",
    "/a/../exact",
    "/exact%3Fq",
  ].map((path) => get("paths", path)),
  get("paths", "/grpc", { "content-type": "application/grpc" }),
  get("paths", "/grpc", { "content-type": "application/grpc+proto" }),
  get("paths", "/grpc", { "content-type": "application/grpc-web" }),
  get("paths", "/grpc", { "content-type": "application/json" }),
];

let process: ChildProcess | undefined;
let port = 0;
let table: RouteTable;
const directory = mkdtempSync(join(tmpdir(), "weft-routes-"));

before(async () => {
  if (!envoy) return;
  const { listeners } = compileText(readFileSync(file, "utf8"));
  const terminal = listeners[0]!.plan.chains[0]!.terminal;
  assert.ok(terminal.kind === "http");
  table = terminal.routes.current!;
  const adminFile = join(directory, "admin");
  process = spawn(
    envoy,
    [
      "-c",
      file,
      "--admin-address-path",
      adminFile,
      "--use-dynamic-base-id",
      "--concurrency",
      "1",
      "-l",
      "error",
    ],
    {
      stdio: ["ignore", "inherit", "inherit"],
    },
  );
  port = await listenerPort(adminFile);
});

after(() => {
  process?.kill("SIGKILL");
  rmSync(directory, { recursive: true });
});

/** Where Envoy listens, once it does. */
function listenerPort(adminFile: string): Promise<number> {
  const ask = async () => {
    const address = readFileSync(adminFile, "utf8").trim();
    const ready = await fetch(`http://${address}/ready`);
    const listeners = await (await fetch(`http://${address}/listeners`)).text();
    const found = /^routes::127\.0\.0\.1:(\d+)/m.exec(listeners);
    return ready.status === 200 && found ? Number(found[1]) : undefined;
  };
  // Not up yet is no failure.
  return untilFound("Envoy is ready", () => ask().catch(() => undefined), { everyMs: 50 });
}

function askEnvoy(sent: Sent): Promise<string> {
  return new Promise((resolve, reject) => {
    const call = httpRequest(
      {
        host: "127.0.0.1",
        port,
        path: sent.path,
        method: sent.method ?? "GET",
        headers: { ...sent.headers, host: sent.host },
      },
      (response) => {
        let body = "";
        response.setEncoding("utf8");
        response.on("data", (chunk: string) => {
          body += chunk;
        });
        response.on("end", () =>
          resolve(
            `${response.statusCode} ${response.headers.location ?? response.headers["grpc-message"] ?? body}`.trim(),
          ),
        );
      },
    );
    call.on("error", reject);
    call.end();
  });
}

function askOurs(sent: Sent): string {
  const flat: string[] = ["x-forwarded-proto", "http"];
  for (const [name, value] of Object.entries(sent.headers ?? {})) {
    if (name === "x-forwarded-proto") flat.splice(0, 2);
    for (const one of [value].flat()) flat.push(name.toLowerCase(), one.trim());
  }
  const head: RequestHead = {
    method: sent.method ?? "GET",
    path: sent.path,
    authority: sent.host,
    scheme: "http",
    headers: new HeaderList(flat),
    upgrade: "",
  };
  const action = table.match(head, 0.5)?.route.action;
  switch (action?.kind) {
    case "direct-response":
      return `${action.status} ${action.body ?? ""}`.trim();
    case "redirect":
      return `${action.status} ${action.location(head)}`;
    default:
      return "404";
  }
}

test("every request takes the route Envoy takes", { skip: envoy ? false : "no Envoy found" }, async () => {
  const differences: string[] = [];
  for (const sent of cases) {
    const theirs = await askEnvoy(sent);
    const ours = askOurs(sent);
    if (ours !== theirs) {
      differences.push(
        `${sent.host}${sent.path} ${JSON.stringify(sent.headers ?? {})}: Envoy ${theirs}, ours ${ours}`,
      );
    }
  }
  assert.deepEqual(differences, []);
});
