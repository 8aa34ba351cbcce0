import { Command } from "commander";
import { proxyHelp } from "./proxy.ts";

/** `weft help proxy`: the sidecar itself is started without this file. */
export function command(): Command {
  return new Command("proxy").summary("run a sidecar on an Envoy bootstrap file").configureHelp({
    formatHelp: () => proxyHelp,
  });
}
