import { formatDiagnostic } from "@weft/base/diagnostics";
import { messageOf, UserError } from "@weft/base/errors";
import { Command, CommanderError } from "commander";
import { type CommandEntry, commandList } from "./command-list.ts";
import { addRemoteOptions } from "./options/remote-options.ts";
import { productVersion } from "./product-version.ts";

/** What exit codes mean, for scripts. */
const exitCodesHelp = `
Exit codes: 0 done, 1 refused or failed, 2 wrong usage, 3 no control plane answers,
            4 not every proxy has acknowledged it; it was undone, unless --keep was given,
            5 a rollout was rolled back, aborted or undone.

Example:
  $ weft demo                           the whole mesh on this machine
  $ weft control-plane                  a control plane of your own
  $ weft run --name web --port 8080 --token-file web.token -- node app.js
  $ weft stat --watch`;

/**
 * Runs one command line and resolves with its exit code. Results go to stdout,
 * everything said about them to stderr; errors for people are one line and,
 * where there is one, the next step.
 */
export async function runCli(args: readonly string[]): Promise<number> {
  process.stdout.on("error", endOnClosedPipe);
  try {
    const program = await buildProgram(args);
    await program.parseAsync([...args], { from: "user" });
    return Number(process.exitCode ?? 0);
  } catch (error) {
    return reportError(error);
  }
}

/** `weft get all | head` has read enough: no fault of anyone. */
function endOnClosedPipe(error: NodeJS.ErrnoException): void {
  if (error.code === "EPIPE") process.exit(0);
  throw error;
}

async function buildProgram(args: readonly string[]): Promise<Command> {
  const program = new Command("weft")
    .description(
      "Weft: a service mesh. Identity, mutual TLS, traffic control and golden signals for every call.",
    )
    .version(productVersion, "-V, --version", "show the version")
    // `weft run --version v1` is the workload's version, not a question for ours.
    .enablePositionalOptions()
    .helpCommand("help [COMMAND]", "show a command's help")
    .addHelpText("after", exitCodesHelp);
  const wanted = wantedCommand(args);
  for (const entry of commandList) {
    program.addCommand(entry.name === wanted ? await loadCommand(entry) : overviewLine(entry));
  }
  forAll(program, (command) => {
    command.exitOverride();
    if (isAboutControlPlane(command)) addRemoteOptions(command);
    command.showSuggestionAfterError(true);
    command.description(flowing(command.description()));
    command.configureOutput({
      outputError: (text, write) =>
        write(`${text.replace(/^error: /, "weft: ")}  next: ${pathOf(command)} --help\n`),
    });
  });
  return program;
}

/** Asks one, rather than being one or making one. */
function isAboutControlPlane(command: Command): boolean {
  const isOne = command.name() === "control-plane" || command.name() === "demo";
  const has = (flag: string) => command.options.some(({ long }) => long === flag);
  return !isOne && has("--state") && !has("--server");
}

/** Paragraphs without the line breaks they are written with: they are wrapped to the terminal's width. */
function flowing(text: string): string {
  return text.replace(/(?<!\n)\n(?!\n)/g, " ");
}

/** The command named on the line, also behind `help`. */
function wantedCommand(args: readonly string[]): string | undefined {
  const words = args.filter((arg) => !arg.startsWith("-"));
  return words[0] === "help" ? words[1] : words[0];
}

async function loadCommand(entry: CommandEntry): Promise<Command> {
  const { command } = await entry.load();
  return command();
}

/** Stands in for a command that is not called: its line in the overview, nothing loaded. */
function overviewLine(entry: CommandEntry): Command {
  return new Command(entry.name).summary(entry.summary).description(entry.summary).helpOption(false);
}

function forAll(command: Command, run: (command: Command) => void): void {
  run(command);
  for (const sub of command.commands) forAll(sub, run);
}

/** `weft token create`. */
function pathOf(command: Command): string {
  return command.parent ? `${pathOf(command.parent)} ${command.name()}` : command.name();
}

function reportError(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
  if (error instanceof UserError) {
    const { diagnostics } = error as { diagnostics?: readonly Parameters<typeof formatDiagnostic>[0][] };
    for (const diagnostic of diagnostics ?? []) process.stderr.write(`${formatDiagnostic(diagnostic)}\n`);
    process.stderr.write(`weft: ${error.message}\n`);
    if (error.hint) process.stderr.write(`  next: ${error.hint}\n`);
    return error.exitCode;
  }
  const isVerbose = process.env.WEFT_DEBUG === "1";
  process.stderr.write(`weft: ${messageOf(error)}\n`);
  if (isVerbose && error instanceof Error) process.stderr.write(`${error.stack}\n`);
  else process.stderr.write("  next: this is a fault in weft; WEFT_DEBUG=1 shows where it happened\n");
  return 1;
}
