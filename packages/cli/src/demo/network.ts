import { mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { runCommand, tryCommand } from "./command.ts";

/**
 * The demo's network: one namespace for each workload, as pods have, joined by a
 * bridge in a namespace of its own, so that the host's firewall rules do not
 * apply to it and nothing of it is left when the namespaces are gone.
 */
export const subnet = "10.240.77";
export const hostAddress = `${subnet}.1`;
export const controlPlaneAddress = `${subnet}.2`;
/** Where Prometheus and Jaeger are, in a namespace as every workload is. */
export const observerAddress = `${subnet}.3`;
export const observerHost = "observe";

const prefix = "weft-demo-";
export const switchNamespace = `${prefix}switch`;
export const controlPlaneNamespace = `${prefix}control-plane`;
/** The switch's bridge: where a capture sees every packet between workloads. */
export const bridge = "br0";
const hostInterface = "weft-demo";

export interface Host {
  readonly name: string;
  readonly address: string;
}

export function namespaceOf(name: string): string {
  return `${prefix}${name}`;
}

/** Makes the bridge, the host's leg and one namespace for each host. */
export async function createNetwork(hosts: readonly Host[]): Promise<void> {
  await runCommand("ip", ["netns", "add", switchNamespace]);
  await runCommand("ip", ["-n", switchNamespace, "-batch", "-"], {
    input: [`link add ${bridge} type bridge`, `link set ${bridge} up`, "link set lo up"].join("\n"),
  });
  await runCommand("ip", ["-batch", "-"], {
    input: [
      `link add ${hostInterface} type veth peer name host netns ${switchNamespace}`,
      `address add ${hostAddress}/24 dev ${hostInterface}`,
      `link set ${hostInterface} up`,
    ].join("\n"),
  });
  await runCommand("ip", ["-n", switchNamespace, "-batch", "-"], {
    input: [`link set host master ${bridge}`, "link set host up"].join("\n"),
  });
  for (const [index, host] of hosts.entries()) await addHost(host, `port${index}`);
}

async function addHost(host: Host, port: string): Promise<void> {
  const namespace = namespaceOf(host.name);
  await runCommand("ip", ["netns", "add", namespace]);
  await runCommand("ip", ["-n", switchNamespace, "-batch", "-"], {
    input: [
      `link add ${port} type veth peer name eth0 netns ${namespace}`,
      `link set ${port} master ${bridge}`,
      `link set ${port} up`,
    ].join("\n"),
  });
  await runCommand("ip", ["-n", namespace, "-batch", "-"], {
    input: [
      "link set lo up",
      `address add ${host.address}/24 dev eth0`,
      "link set eth0 up",
      `route add default via ${hostAddress}`,
    ].join("\n"),
  });
  mkdirSync(resolverDirectory(namespace), { recursive: true });
  writeFileSync(
    `${resolverDirectory(namespace)}/resolv.conf`,
    `nameserver ${hostAddress}\nsearch default.svc.cluster.local svc.cluster.local cluster.local\noptions ndots:5\n`,
  );
}

/** Removes everything of a demo, running or crashed; safe when there is nothing. */
export async function removeNetwork(): Promise<void> {
  const listed = await tryCommand("ip", ["netns", "list"]);
  const namespaces = listed.stdout
    .split("\n")
    .map((line) => line.split(" ")[0]!)
    .filter((name) => name.startsWith(prefix));
  for (const namespace of namespaces) {
    for (const pid of await processesIn(namespace)) {
      try {
        process.kill(pid, "SIGKILL");
      } catch {
        // It ended meanwhile.
      }
    }
    await tryCommand("ip", ["netns", "delete", namespace]);
  }
  await tryCommand("ip", ["link", "delete", hostInterface]);
  let configured: string[] = [];
  try {
    configured = readdirSync("/etc/netns");
  } catch {
    // No namespace has files of its own.
  }
  for (const name of configured.filter((entry) => entry.startsWith(prefix))) {
    rmSync(resolverDirectory(name), { recursive: true, force: true });
  }
}

export async function processesIn(namespace: string): Promise<readonly number[]> {
  const { stdout } = await tryCommand("ip", ["netns", "pids", namespace]);
  return stdout.split("\n").filter(Boolean).map(Number);
}

/** The command line that runs `command` inside the namespace. */
export function inNamespace(namespace: string, command: readonly string[]): readonly string[] {
  return ["ip", "netns", "exec", namespace, ...command];
}

function resolverDirectory(namespace: string): string {
  return `/etc/netns/${namespace}`;
}
