import { request } from "../policies/raw-client.ts";
import { onHttp, takenByEnvoy } from "./guarded-scene.ts";

const get = (path: string, ...headers: string[]) => request(`GET ${path}`, ...headers);

const paths = [
  "/secret",
  "/SECRET/../secret",
  "/%73ecret",
  "/./secret",
  "//secret",
  "/a/..//secret",
  "/a%2f..%2fsecret",
  "/%2e%2e/secret",
  "/a/..%5csecret",
  "/a\\..\\secret",
  "/secret;a=b",
  "/secret?a=/",
  "/secret#a",
  "/secret%00",
  "/secret\u00ff",
  "/\\secret",
  "/admin",
  "/admin/",
  "/admin%2fx",
  "http://api/secret",
  "http://api//secret",
  "*",
  "secret",
];

/** Spellings of what is denied, at the level DECODE_AND_MERGE_SLASHES. */
export const pathAttacks = paths.map((path) => onHttp("path", JSON.stringify(path), get(path)));

export const methodAttacks = [
  onHttp("method", "one that is denied", request("DELETE /")),
  onHttp("method", "in small letters", request("delete /")),
  onHttp("method", "after a blank", request(" DELETE /")),
  onHttp("method", "with a tab", request("DELETE\t/")),
  onHttp("method", "with NUL", request("GET\0DELETE /")),
  onHttp("method", "CONNECT", request("CONNECT api:80")),
  onHttp("method", "CONNECT to this machine", request("CONNECT 127.0.0.1:22", "host: 127.0.0.1:22")),
  onHttp("method", "TRACE", request("TRACE /")),
  onHttp("method", "PRI", "PRI * HTTP/2.0\r\n\r\n"),
];

export const hostAttacks = [
  onHttp("host", "another", get("/", "host: other")),
  onHttp("host", "none", "GET / HTTP/1.1\r\nconnection: close\r\n\r\n"),
  onHttp("host", "two", get("/", "host: api", "host: other")),
  onHttp("host", "two, the other first", get("/", "host: other", "host: api")),
  onHttp("host", "another in the target", get("http://other/", "host: api")),
  onHttp("host", "before an at sign", get("/", "host: api@other")),
  onHttp("host", "with a comma", get("/", "host: api,other")),
  onHttp("host", "with a blank", get("/", "host: api other")),
  onHttp("host", "that only begins like it", get("/", "host: api.other")),
  onHttp("host", "with a port that is none", get("/", "host: api:other")),
  onHttp("host", "folded", get("/", "host: other\r\n\tapi")),
];

export const headerAttacks = [
  onHttp("header", "without it", get("/admin/x")),
  onHttp("header", "another value", get("/admin/x", "x-role: user")),
  onHttp("header", "a denied value beside a good one", get("/", "x-tag: good", "x-tag: bad")),
  onHttp("header", "a denied value before a good one", get("/", "x-tag: bad", "x-tag: good")),
  onHttp("header", "a denied value in capitals of the name", get("/", "X-TAG: bad")),
  onHttp("header", "a denied value between blanks", get("/", "x-tag: \t bad \t")),
  onHttp("header", "a list", get("/admin/x", "x-role: admin, user")),
  onHttp("header", "with an underscore", get("/admin/x", "x_role: admin")),
  onHttp("header", "with a blank before the colon", get("/admin/x", "x-role : admin")),
  onHttp("header", "a denied value, folded", get("/", "x-tag:\r\n bad")),
  onHttp("header", "after a bare CR", get("/admin/x", "a: b\rx-role: admin")),
  onHttp("header", "after a bare LF", get("/admin/x", "a: b\nx: y\n\rx-role: admin")),
  onHttp("header", "with NUL", get("/admin/x", "x-role: admin\0")),
  onHttp("header", "in the query", get("/admin/x?x-role=admin")),
  onHttp("header", "named by Connection", get("/admin/x", "x-role: user", "connection: x-role")),
];

const post = (framing: readonly string[], body: string) =>
  `${["POST / HTTP/1.1", "host: api", ...framing, "", ""].join("\r\n")}${body}`;
const hidden = "GET /secret HTTP/1.1\r\nhost: api\r\n\r\n";
const chunk = `${hidden.length.toString(16)}\r\n${hidden}\r\n0\r\n\r\n`;

/** A second request inside what one reader takes for the body of the first. */
export const smugglingAttacks = takenByEnvoy(
  [
    onHttp(
      "smuggling",
      "length and chunks",
      post(["content-length: 4", "transfer-encoding: chunked"], `0\r\n\r\n${hidden}`),
    ),
    onHttp(
      "smuggling",
      "chunks and length",
      post(["transfer-encoding: chunked", "content-length: 4"], chunk),
    ),
    onHttp(
      "smuggling",
      "two lengths",
      post(["content-length: 0", `content-length: ${hidden.length}`], hidden),
    ),
    onHttp("smuggling", "a list of lengths", post([`content-length: 0, ${hidden.length}`], hidden)),
    onHttp("smuggling", "a signed length", post(["content-length: +0"], hidden)),
    onHttp("smuggling", "an unknown coding", post(["transfer-encoding: xchunked"], chunk)),
    onHttp("smuggling", "a coding after chunked", post(["transfer-encoding: chunked, identity"], chunk)),
    onHttp(
      "smuggling",
      "a coding with a blank before the colon",
      post(["transfer-encoding : chunked"], chunk),
    ),
    onHttp("smuggling", "a coding with a vertical tab", post(["transfer-encoding: \x0bchunked"], chunk)),
    onHttp("smuggling", "a folded coding", post(["transfer-encoding:\r\n chunked"], chunk)),
  ],
  /^a folded coding$/,
  "it unfolds the field, and passes the body on as one",
);
