/** The sidecar alone, for whoever starts it without the `weft` command before it. */
import { runProxyCommand } from "./commands/proxy.ts";

await runProxyCommand(process.argv.slice(2));
