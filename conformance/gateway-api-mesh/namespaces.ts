import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { runCommand, tryCommand } from "../../packages/cli/src/demo/command.ts";
import { processesIn } from "../../packages/cli/src/demo/network.ts";

/** Where the control plane is, in the namespace of the switch. */
export const controlPlaneAddress = "10.99.0.1";

/**
 * Network namespaces as pods have them, joined by a bridge in one of their own:
 * nothing of the machine's network is used or changed.
 */
export class Namespaces {
  readonly #prefix: string;
  readonly #names: string[] = [];

  /** @param prefix of all their names; nobody else's begin with it */
  constructor(prefix: string) {
    this.#prefix = prefix;
  }

  get switch(): string {
    return `${this.#prefix}-switch`;
  }

  async create(): Promise<void> {
    await this.#add(this.switch, [
      "link set lo up",
      "link add br0 type bridge",
      `address add ${controlPlaneAddress}/24 dev br0`,
      "link set br0 up",
    ]);
  }

  /** A namespace with an address, whose resolver completes names as in a pod of this Kubernetes namespace. */
  async addHost(name: string, address: string, kubernetesNamespace: string): Promise<string> {
    const namespace = `${this.#prefix}-${name}`;
    const port = `port${this.#names.length}`;
    await this.#add(namespace, ["link set lo up"]);
    await runCommand("ip", ["-n", this.switch, "-batch", "-"], {
      input: [
        `link add ${port} type veth peer name eth0 netns ${namespace}`,
        `link set ${port} master br0`,
        `link set ${port} up`,
      ].join("\n"),
    });
    await runCommand("ip", ["-n", namespace, "-batch", "-"], {
      input: [
        `address add ${address}/24 dev eth0`,
        "link set eth0 up",
        `route add default via ${controlPlaneAddress}`,
      ].join("\n"),
    });
    mkdirSync(`/etc/netns/${namespace}`, { recursive: true });
    const search = [kubernetesNamespace, ""].map((part) => `${part && `${part}.`}svc.cluster.local`);
    writeFileSync(
      `/etc/netns/${namespace}/resolv.conf`,
      `nameserver ${controlPlaneAddress}\nsearch ${search.join(" ")} cluster.local\noptions ndots:5\n`,
    );
    return namespace;
  }

  async remove(): Promise<void> {
    for (const namespace of this.#names) {
      for (const pid of await processesIn(namespace)) {
        try {
          process.kill(pid, "SIGKILL");
        } catch {
          // It has ended already.
        }
      }
      await tryCommand("ip", ["netns", "delete", namespace]);
      rmSync(`/etc/netns/${namespace}`, { recursive: true, force: true });
    }
  }

  async #add(namespace: string, commands: readonly string[]): Promise<void> {
    await runCommand("ip", ["netns", "add", namespace]);
    this.#names.push(namespace);
    await runCommand("ip", ["-n", namespace, "-batch", "-"], { input: commands.join("\n") });
  }
}
