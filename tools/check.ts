/** `npm run check`: types, format, lint, import direction and cycles, dead code. Prints each result; exits 1 if any fails. */
import { spawn } from "node:child_process";
import { join } from "node:path";

const root = join(import.meta.dirname, "..");

interface Check {
  readonly name: string;
  readonly command: readonly string[];
}

const checks: readonly Check[] = [
  { name: "types", command: ["tsc", "-p", "."] },
  { name: "types of the dashboard", command: ["tsc", "-p", "packages/dashboard"] },
  // Import direction and cycles are lint rules: see biome.json.
  { name: "format, lint, imports", command: ["biome", "ci", "--colors=off", "--max-diagnostics=50", "."] },
  { name: "dead code", command: ["knip", "--no-progress"] },
];

let failed = 0;
for (const check of checks) {
  const startMs = performance.now();
  const { code, output } = await run(check.command);
  const seconds = ((performance.now() - startMs) / 1000).toFixed(1);
  console.log(`${code === 0 ? "✓" : "✗"} ${check.name} (${seconds} s)`);
  if (code !== 0) {
    failed += 1;
    console.log(output);
  }
}
process.exit(failed === 0 ? 0 : 1);

function run(command: readonly string[]): Promise<{ code: number; output: string }> {
  return new Promise((resolve) => {
    const child = spawn(join(root, "node_modules", ".bin", command[0]!), command.slice(1), {
      cwd: root,
      env: { ...process.env, NO_COLOR: "1" },
    });
    let output = "";
    child.stdout.on("data", (chunk) => {
      output += chunk;
    });
    child.stderr.on("data", (chunk) => {
      output += chunk;
    });
    child.on("error", (error) => resolve({ code: 1, output: error.message }));
    child.on("close", (code) => resolve({ code: code ?? 1, output }));
  });
}
