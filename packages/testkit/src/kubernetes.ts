import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { request } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePorts } from "./free-port.ts";
import { findPeer } from "./peer.ts";

const apiServer = findPeer("kube-apiserver");
const etcd = findPeer("etcd");

/** Why there is no Kubernetes on this machine; undefined where there is. */
export const noKubernetes: string | undefined =
  apiServer && etcd ? undefined : "there is no kube-apiserver, or no etcd";

export interface TokenWishes {
  readonly namespace: string;
  readonly serviceAccount: string;
  /** Default `weft`. */
  readonly audience?: string;
  /** The pod it is bound to; default none. */
  readonly pod?: string;
}

const adminToken = "admin-of-the-test";

/** A real API server on its etcd. Nothing runs in it: pods are objects that a test writes. */
export class TestKubernetes {
  readonly #children: readonly ChildProcess[];
  readonly #folder: string;
  readonly url: string;

  private constructor(url: string, folder: string, children: readonly ChildProcess[]) {
    this.url = url;
    this.#folder = folder;
    this.#children = children;
  }

  /** Resolves when it answers; takes some seconds. */
  static async start(): Promise<TestKubernetes> {
    const folder = mkdtempSync(join(tmpdir(), "weft-kubernetes-"));
    const at = (name: string) => join(folder, name);
    const [client, peer, secure] = await freePorts(3);
    execFileSync("openssl", ["genrsa", "-out", at("sa.key"), "2048"], { stdio: "ignore" });
    execFileSync("openssl", ["rsa", "-in", at("sa.key"), "-pubout", "-out", at("sa.pub")], {
      stdio: "ignore",
    });
    writeFileSync(at("tokens.csv"), `${adminToken},admin,admin,"system:masters"\n`);
    const start = (program: string, flags: Readonly<Record<string, string>>) =>
      spawn(
        program,
        Object.entries(flags).map(([name, value]) => `--${name}=${value}`),
        { stdio: "ignore" },
      );
    const etcdUrl = `http://127.0.0.1:${client}`;
    const peerUrl = `http://127.0.0.1:${peer}`;
    const children = [
      start(etcd!, {
        "data-dir": at("etcd"),
        "listen-client-urls": etcdUrl,
        "advertise-client-urls": etcdUrl,
        "listen-peer-urls": peerUrl,
        "initial-advertise-peer-urls": peerUrl,
        "initial-cluster": `default=${peerUrl}`,
        "unsafe-no-fsync": "true",
      }),
      start(apiServer!, {
        "etcd-servers": etcdUrl,
        "cert-dir": at("certs"),
        "secure-port": `${secure}`,
        "bind-address": "127.0.0.1",
        "service-account-issuer": "https://kubernetes",
        "service-account-key-file": at("sa.pub"),
        "service-account-signing-key-file": at("sa.key"),
        "token-auth-file": at("tokens.csv"),
        "authorization-mode": "RBAC",
        "service-cluster-ip-range": "10.0.0.0/24",
        "disable-admission-plugins": "ServiceAccount",
      }),
    ];
    const cluster = new TestKubernetes(`https://127.0.0.1:${secure}`, folder, children);
    for (let tries = 0; tries < 600; tries += 1) {
      if (await cluster.#isReady()) return cluster;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    await cluster.close();
    throw new Error("the API server does not become ready");
  }

  /** PEM: its own certificate, which nobody else issued. */
  get ca(): string {
    return readFileSync(join(this.#folder, "certs", "apiserver.crt"), "utf8");
  }

  async createNamespace(name: string): Promise<void> {
    await this.#call("POST", "/api/v1/namespaces", { metadata: { name } });
  }

  async createServiceAccount(namespace: string, name: string): Promise<void> {
    await this.#call("POST", `/api/v1/namespaces/${namespace}/serviceaccounts`, { metadata: { name } });
  }

  async createPod(namespace: string, name: string, serviceAccountName: string): Promise<void> {
    const spec = { serviceAccountName, containers: [{ name: "app", image: "none" }] };
    await this.#call("POST", `/api/v1/namespaces/${namespace}/pods`, { metadata: { name }, spec });
  }

  async deletePod(namespace: string, name: string): Promise<void> {
    await this.#call("DELETE", `/api/v1/namespaces/${namespace}/pods/${name}?gracePeriodSeconds=0`);
  }

  /** What the kubelet projects into a pod. */
  async tokenFor({ namespace, serviceAccount, audience = "weft", pod }: TokenWishes): Promise<string> {
    const bound = pod === undefined ? {} : { boundObjectRef: { kind: "Pod", apiVersion: "v1", name: pod } };
    const spec = { audiences: audience === "" ? [] : [audience], expirationSeconds: 600, ...bound };
    const path = `/api/v1/namespaces/${namespace}/serviceaccounts/${serviceAccount}/token`;
    const { status } = (await this.#call("POST", path, { spec })) as { status: { token: string } };
    return status.token;
  }

  /** Makes a resource, or throws with what is wrong with it. @param path of its kind and namespace */
  async create(path: string, resource: object): Promise<void> {
    await this.#call("POST", path, resource);
  }

  /** A resource as the API server has it. */
  get(path: string): Promise<unknown> {
    return this.#call("GET", path);
  }

  /** Lets a service account have tokens reviewed, and nothing else; its kubeconfig, written where it says. */
  async writeReviewerConfig(namespace: string, name: string, file: string): Promise<void> {
    await this.createServiceAccount(namespace, name);
    await this.#call("POST", "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings", {
      metadata: { name: `${namespace}-${name}` },
      roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: "system:auth-delegator" },
      subjects: [{ kind: "ServiceAccount", namespace, name }],
    });
    writeFileSync(
      file,
      this.kubeconfig(await this.tokenFor({ namespace, serviceAccount: name, audience: "" })),
    );
  }

  kubeconfig(token: string): string {
    const ca = Buffer.from(this.ca).toString("base64");
    const cluster = { server: this.url, "certificate-authority-data": ca };
    return JSON.stringify({
      "current-context": "test",
      contexts: [{ name: "test", context: { cluster: "test", user: "test" } }],
      clusters: [{ name: "test", cluster }],
      users: [{ name: "test", user: { token } }],
    });
  }

  /** Stops answering, as one that hangs; `resume` lets it go on. */
  pause(): void {
    this.#children[1]!.kill("SIGSTOP");
  }

  resume(): void {
    this.#children[1]!.kill("SIGCONT");
  }

  async close(): Promise<void> {
    for (const child of this.#children.toReversed()) {
      if (child.exitCode !== null || child.signalCode !== null) continue;
      const over = once(child, "exit");
      child.kill("SIGKILL");
      await over;
    }
    rmSync(this.#folder, { recursive: true, force: true });
  }

  /** Ready, with the roles and the namespace that it makes by itself. */
  async #isReady(): Promise<boolean> {
    try {
      await this.#call("GET", "/readyz");
      await this.#call("GET", "/apis/rbac.authorization.k8s.io/v1/clusterroles/system:auth-delegator");
      await this.#call("GET", "/api/v1/namespaces/default");
      return true;
    } catch {
      return false;
    }
  }

  #call(method: string, path: string, body?: object): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const headers = { authorization: `Bearer ${adminToken}`, "content-type": "application/json" };
      const sent = request(
        `${this.url}${path}`,
        { method, headers, ca: this.ca, agent: false },
        (response) => {
          let text = "";
          response.on("data", (chunk) => {
            text += chunk;
          });
          response.on("end", () => {
            if ((response.statusCode ?? 0) < 300) resolve(path === "/readyz" ? text : JSON.parse(text));
            else reject(new Error(`${method} ${path}: ${response.statusCode} ${text}`));
          });
        },
      );
      sent.on("error", reject);
      sent.end(body && JSON.stringify(body));
    });
  }
}
