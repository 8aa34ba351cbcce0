import type { FuzzTarget } from "./target.ts";
import { clientHellos, proxyHeaders } from "./targets/connection-beginnings.ts";
import { hpack, huffman } from "./targets/hpack.ts";
import { http1Requests } from "./targets/http1-requests.ts";
import { http1Responses } from "./targets/http1-responses.ts";
import { http2Frames } from "./targets/http2-frames.ts";
import { http2Server } from "./targets/http2-server.ts";

import { bundles, certificates, joinTokens, requests, spiffeIds } from "./targets/identities.ts";
import { policies } from "./targets/policies.ts";
import { jwts, keySets } from "./targets/tokens.ts";

export const fuzzTargets: readonly FuzzTarget[] = [
  http1Requests,
  http1Responses,
  http2Frames,
  http2Server,
  hpack,
  huffman,
  clientHellos,
  proxyHeaders,
  certificates,
  requests,
  spiffeIds,
  joinTokens,
  bundles,
  jwts,
  keySets,
  policies,
];
