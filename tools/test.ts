/**
 * `npm test`: sets up the real peers, builds, then runs every test of the repository,
 * or those whose path contains one of the arguments.
 */
import { spawnSync } from "node:child_process";
import { globSync } from "node:fs";
import { join } from "node:path";
import { peerNames, peersDirectory, setUpPeers } from "./peers.ts";

const root = join(import.meta.dirname, "..");
const filters = process.argv.slice(2);

const missing = setUpPeers(peerNames);
for (const line of missing) console.error(`test: ${line}`);
if (missing.length > 0 && process.env.CI) process.exit(1);

const files = [
  "packages/*/src/**/*.test.ts",
  ...["bench", "tools", "conformance", "e2e"].map((folder) => `${folder}/**/*.test.ts`),
]
  .flatMap((pattern) => globSync(pattern, { cwd: root }))
  .filter((file) => filters.length === 0 || filters.some((filter) => file.includes(filter)))
  .sort();
if (files.length === 0) {
  console.error(`test: no test file's path contains ${filters.join(" or ")}`);
  process.exit(1);
}

const built = spawnSync(process.execPath, [join(root, "tools", "build.ts")], { cwd: root, stdio: "inherit" });
if (built.status !== 0) process.exit(1);

const result = spawnSync(
  process.execPath,
  [
    "--test",
    "--test-reporter=spec",
    "--test-reporter-destination=stdout",
    "--test-concurrency=2",
    "--test-timeout=600000",
    ...files,
  ],
  {
    cwd: root,
    stdio: "inherit",
    env: {
      ...process.env,
      WEFT_PEERS: peersDirectory,
      NODE_OPTIONS: "--disable-warning=ExperimentalWarning",
    },
  },
);
process.exit(result.status ?? 1);
