/**
 * The `weft` command. Only what the called command needs is loaded: the sidecar
 * in particular gets neither the argument parser nor the control plane.
 */
const [, , first, ...rest] = process.argv;
if (first === "proxy") {
  const { runProxyCommand } = await import("./commands/proxy.ts");
  await runProxyCommand(rest);
} else {
  const { runCli } = await import("./run-cli.ts");
  process.exitCode = await runCli(process.argv.slice(2));
}
