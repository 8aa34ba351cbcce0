import type { HttpUri } from "@weft/xds/gen/envoy/config/core/v3/http_uri_pb";
import type { DecodeContext } from "./decode-context.ts";
import { timeoutMs } from "./decode-values.ts";
import { at } from "./issues.ts";

/** Where a call of the proxy's own goes. */
export interface CalloutTarget {
  readonly cluster: string;
  readonly scheme: "http" | "https";
  readonly authority: string;
  /** With query. */
  readonly path: string;
  readonly timeoutMs: number;
}

/** The address of a server by its URI, and the cluster it is reached through. */
export function decodeHttpUri(
  message: HttpUri | undefined,
  path: string,
  { issues, knownClusters }: DecodeContext,
): CalloutTarget {
  const cluster = message?.httpUpstreamType.value ?? "";
  if (cluster === "") issues.add(at(path, "cluster"), "is empty", "name the cluster to ask through");
  else if (knownClusters && !knownClusters.has(cluster)) {
    issues.add(
      at(path, "cluster"),
      `unknown cluster '${cluster}'`,
      "define it under static_resources.clusters",
    );
  }
  const timeout = timeoutMs(message?.timeout, 0, at(path, "timeout"), issues);
  if (timeout === 0) issues.add(at(path, "timeout"), "is not set", "say how long to wait");
  const text = message?.uri ?? "";
  const url = URL.parse(/^https?:\/\//.test(text) ? text : `http://${text}`);
  if (text === "" || !url || url.username !== "" || url.password !== "") {
    issues.add(at(path, "uri"), `${JSON.stringify(text)} is not an HTTP address`, "https://host/path");
  }
  return {
    cluster,
    scheme: url?.protocol === "https:" ? "https" : "http",
    authority: url?.host ?? "",
    path: url ? `${url.pathname}${url.search}` : "/",
    timeoutMs: timeout,
  };
}
