/**
 * Forwards the context of a trace through a Node application: what a request
 * that comes in says is said again by those that are made on its account.
 *
 * Loaded before the application by `node --require`, CommonJS and ES modules
 * alike, on Node 18 and later; needs nothing but Node. It changes nothing but
 * headers, and where it fails the application goes on without.
 */
import { syncBuiltinESMExports } from "node:module";
import { attempt } from "./attempt.ts";
import { followFetch } from "./fetch-calls.ts";
import { followHttpCalls } from "./http-calls.ts";
import { followHttp2Calls } from "./http2-calls.ts";
import { followServers } from "./incoming.ts";

const installed = Symbol.for("weft.trace-node");

// A process is given it twice where one `weft run` starts another.
if (!(installed in globalThis)) {
  Object.defineProperty(globalThis, installed, { value: true });
  for (const follow of [followServers, followHttpCalls, followHttp2Calls, followFetch]) attempt(follow);
  // What ES modules import by name.
  attempt(syncBuiltinESMExports);
}
