import type { LocalMesh } from "./local-mesh.ts";

/** What the service does: it answers everything with `hello`. */
const server = (address: string) =>
  `require("http").createServer((_, response) => response.end("hello")).listen(8080, ${JSON.stringify(address)})`;
const idle = "setInterval(() => {}, 1000)";

export interface HelloPair {
  /** The status of a call from `caller` to `hello`, 0 where none came back. */
  call(path?: string, headers?: Readonly<Record<string, string>>): Promise<number>;
}

/** Runs two workloads, `caller` and the service `hello` that it calls, and waits until calls succeed. */
export async function runHelloPair(mesh: LocalMesh): Promise<HelloPair> {
  const run = (code: string) => [process.execPath, "-e", code];
  const service = ["--port", "8080:http", "--inbound-port", "8080=18080"];
  await mesh.run("hello", 2, service, run(server(mesh.addressOf(2))));
  const origin = `${mesh.addressOf(1)}:20000`;
  await mesh.run("caller", 1, ["--upstream", `hello:8080=${origin}`], run(idle));
  const pair: HelloPair = {
    async call(path = "/", headers = {}) {
      try {
        const asked = { headers: { ...headers, host: "hello:8080" }, redirect: "manual" } as const;
        const response = await fetch(`http://${origin}${path}`, asked);
        await response.arrayBuffer();
        return response.status;
      } catch {
        return 0;
      }
    },
  };
  await mesh.until("the service answers", async () => (await pair.call()) === 200);
  return pair;
}
