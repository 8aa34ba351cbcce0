/**
 * A program for the tests of interception, run inside a network namespace: does
 * what each line on its standard input asks (JSON) and answers with one line.
 */
import { spawnSync } from "node:child_process";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import { createInterface } from "node:readline";
import { originalDestination } from "@weft/proxy/net/original-destination";

export type ActorRequest =
  /** TCP and UDP servers that answer with `<name>`, over TCP also the original destination where the kernel knows it. */
  | { readonly t: "serve"; readonly name: string; readonly port: number }
  | {
      readonly t: "tcp" | "udp";
      readonly host: string;
      readonly port: number;
      readonly from?: string;
      /** SO_MARK of the socket, over TCP. */
      readonly mark?: number;
    }
  /** Takes other effective ids, as the sidecar and the agent have. */
  | { readonly t: "become"; readonly uid: number; readonly gid: number };

const limitMs = 1_500;

async function answer(request: ActorRequest): Promise<string> {
  switch (request.t) {
    case "serve":
      return serve(request.name, request.port);
    case "tcp":
      return request.mark === undefined
        ? askTcp(request.host, request.port, request.from)
        : askMarked(request);
    case "udp":
      return askUdp(request.host, request.port);
    case "become":
      process.setegid!(request.gid);
      process.seteuid!(request.uid);
      return "done";
  }
}

async function serve(name: string, port: number): Promise<string> {
  const server = createServer((socket) => {
    socket.on("error", () => {});
    socket.end(`${name} ${describe(socket)}`);
  });
  server.listen(port, "::");
  await once(server, "listening");
  for (const type of ["udp4", "udp6"] as const) {
    const socket = createSocket({ type, ipv6Only: type === "udp6" });
    socket.on("message", (_, peer) => socket.send(name, peer.port, peer.address));
    socket.bind(port);
    await once(socket, "listening");
  }
  return "done";
}

function describe(socket: Socket): string {
  const original = originalDestination(socket);
  if (original?.kind !== "ip") return "not redirected";
  return `${original.host.replace(/^::ffff:/, "")} ${original.port}`;
}

function askTcp(host: string, port: number, from: string | undefined): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect({ host, port, localAddress: from });
    let received = "";
    const finish = (text: string) => {
      socket.destroy();
      resolve(text);
    };
    socket.setTimeout(limitMs, () => finish("no answer"));
    socket.on("error", (error: NodeJS.ErrnoException) => finish(error.code ?? "error"));
    socket.on("data", (chunk) => {
      received += chunk;
    });
    socket.on("end", () => finish(received));
  });
}

/** By Python: Node sets no marks. */
function askMarked({ host, port, mark }: { host: string; port: number; mark?: number }): string {
  const program = `
import socket
s = socket.socket()
s.settimeout(${limitMs / 1000})
s.setsockopt(socket.SOL_SOCKET, 36, ${mark})
s.connect(("${host}", ${port}))
print(s.recv(200).decode(), end="")`;
  return spawnSync("python3", ["-c", program], { encoding: "utf8" }).stdout;
}

function askUdp(host: string, port: number): Promise<string> {
  return new Promise((resolve) => {
    const socket = createSocket(host.includes(":") ? "udp6" : "udp4");
    const finish = (text: string) => {
      clearTimeout(timer);
      socket.close();
      resolve(text);
    };
    const timer = setTimeout(() => finish("no answer"), limitMs);
    socket.on("message", (text) => finish(String(text)));
    socket.on("error", (error: NodeJS.ErrnoException) => finish(error.code ?? "error"));
    socket.send("?", port, host);
  });
}

if (import.meta.main) {
  for await (const line of createInterface({ input: process.stdin })) {
    process.stdout.write(`${JSON.stringify(await answer(JSON.parse(line)))}\n`);
  }
  process.exit(0);
}
