import { Agent, createServer, get, request } from "node:http";
import { connect, createServer as createHttp2Server } from "node:http2";
import serve from "./calls.cjs";

serve({
  http: { Agent, createServer, get, request },
  http2: { connect, createServer: createHttp2Server },
  fetch,
});
