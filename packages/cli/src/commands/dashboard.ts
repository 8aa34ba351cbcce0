import { spawn } from "node:child_process";
import { Command } from "commander";
import { outputOption, printJson } from "../options/output-format.ts";
import { apiClient, stateOption } from "../options/state-dir.ts";

export function command(): Command {
  return new Command("dashboard")
    .summary("open the dashboard of the mesh in a browser")
    .description(
      "Prints an address of the control plane's dashboard and opens it. The address works once, within two minutes,\n" +
        "for browsers of this machine; what is shown cannot be changed there. From elsewhere, forward the port first\n" +
        "(ssh -L 15014:127.0.0.1:15014 HOST) and open the printed address there.",
    )
    .option("--no-open", "only print the address")
    .addOption(stateOption())
    .addOption(outputOption())
    .addHelpText("after", "\nExample:\n  $ weft dashboard\n  $ weft dashboard --no-open")
    .action(async (flags: { readonly state?: string; readonly output: string; readonly open: boolean }) => {
      const login = await apiClient(flags).openDashboard();
      if (flags.output === "json") return printJson(login);
      process.stdout.write(`${login.url}\n`);
      if (flags.open && process.stdout.isTTY) await openBrowser(login.url);
    });
}

/** Asks the desktop; where there is none the printed address is what there is. */
function openBrowser(url: string): Promise<void> {
  const program = process.platform === "darwin" ? "open" : "xdg-open";
  return new Promise((resolve) => {
    const child = spawn(program, [url], { stdio: "ignore", detached: true });
    child.on("error", () => {
      process.stderr.write("weft: no browser could be opened here; open the address yourself\n");
      resolve();
    });
    child.on("spawn", () => {
      child.unref();
      resolve();
    });
  });
}
