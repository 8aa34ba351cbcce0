import { Command, Option } from "commander";
import { defaultRunDirectory } from "../demo/places.ts";
import { parseCount, parseDurationMs } from "../options/parse-values.ts";

interface Flags {
  readonly once?: boolean;
  readonly output: "text" | "json";
  readonly capture?: "nft" | "none";
  readonly envoy?: string | true;
  readonly observe?: boolean;
  readonly rate: number;
  readonly step: number;
  readonly runDir: string;
}

export function command(): Command {
  return new Command("demo")
    .summary("the whole mesh on this machine, with real services and traffic")
    .description(
      "Starts a control plane and bookinfo (productpage, details, reviews v1 to v3,\n" +
        "ratings), each service in a network namespace of its own under 'weft run',\n" +
        "sends traffic, and applies Istio's own bookinfo files in turn while you watch.\n" +
        "Ctrl-C removes every namespace, rule and process.",
    )
    .option("--once", "without a terminal: run every step, verify it from outside, report, exit 0 or 1")
    .addOption(
      new Option("-o, --output <format>", "how to print the report of --once")
        .choices(["text", "json"])
        .default("text", "text"),
    )
    .addOption(
      new Option(
        "--capture <how>",
        "nft: transparent interception, needs root; none: explicit local ports (default: nft where it works)",
      ).choices(["nft", "none"]),
    )
    .option("--envoy [file]", "half of the sidecars are Envoy (default: from the PATH or the tests' peers)")
    .option("--observe", "with Prometheus and Jaeger, which read it and show their pages")
    .option("--rate <number>", "page visits per second", parseCount, 20)
    .option("--step <time>", "time between two steps of the live demo", parseDurationMs, 8_000)
    .option("--run-dir <dir>", "where its state and logs go", defaultRunDirectory)
    .addHelpText(
      "after",
      "\nExample:\n  $ weft demo\n  $ weft demo --once -o json\n  $ weft demo --capture none\n  $ weft demo --once --envoy\n  $ weft demo --observe",
    )
    .action(async (flags: Flags) => {
      const { runDemo } = await import("../demo/run-demo.ts");
      process.exitCode = await runDemo({
        capture: flags.capture,
        envoy: flags.envoy ?? false,
        once: flags.once === true,
        observe: flags.observe === true,
        output: flags.output,
        rate: flags.rate,
        stepSeconds: flags.step / 1_000,
        runDirectory: flags.runDir,
      });
    });
}
