import type { FuzzTarget } from "./target.ts";
import { clientHellos, proxyHeaders } from "./targets/connection-beginnings.ts";
import { hpack, huffman } from "./targets/hpack.ts";
import { http1Requests } from "./targets/http1-requests.ts";
import { http1Responses } from "./targets/http1-responses.ts";
import { http2Frames } from "./targets/http2-frames.ts";
import { http2Server } from "./targets/http2-server.ts";

export const fuzzTargets: readonly FuzzTarget[] = [
  http1Requests,
  http1Responses,
  http2Frames,
  http2Server,
  hpack,
  huffman,
  clientHellos,
  proxyHeaders,
];
