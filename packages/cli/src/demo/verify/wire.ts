import { type ChildProcess, spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { DemoMesh } from "../mesh.ts";
import { bridge, inNamespace, switchNamespace } from "../network.ts";
import { servicePort } from "../topology.ts";
import { type Outcome, outcome } from "./outcome.ts";
import { countTlsRecords, readTcpStreams } from "./pcap.ts";

/** What HTTP and the services' answers look like in the clear; a ClientHello names `http/1.1` in small letters. */
const plainText = /HTTP\/1\.[01]|Reviewer/;

/** A running tcpdump on the bridge between all workloads. */
export class WireCapture {
  readonly #file: string;
  readonly #child: ChildProcess;

  private constructor(file: string, child: ChildProcess) {
    this.#file = file;
    this.#child = child;
  }

  /** Resolves when tcpdump is listening. */
  static start(mesh: DemoMesh): Promise<WireCapture> {
    const file = join(mesh.options.runDirectory, "wire.pcap");
    const [program, ...args] = inNamespace(switchNamespace, [
      ...["tcpdump", "-i", bridge, "-U", "-s", "0", "-B", "16384", "-w", file],
      ...["-Z", "root", "tcp", "port", String(servicePort)],
    ]);
    const child = spawn(program!, args, { stdio: ["ignore", "ignore", "pipe"] });
    return new Promise((resolve, reject) => {
      let said = "";
      child.on("error", reject);
      child.on("exit", () => reject(new Error(`tcpdump ended: ${said}`)));
      child.stderr!.on("data", (chunk) => {
        said += chunk;
        if (said.includes("listening on")) resolve(new WireCapture(file, child));
      });
    });
  }

  /** Ends the capture and says whether every byte between workloads was TLS. */
  async finish(): Promise<Outcome> {
    const ended = new Promise((resolve) => this.#child.once("close", resolve));
    this.#child.kill("SIGINT");
    await ended;
    const streams = readTcpStreams(readFileSync(this.#file)).filter((stream) => stream.bytes.length > 0);
    let records = 0;
    let bytes = 0;
    const plain: string[] = [];
    for (const stream of streams) {
      bytes += stream.bytes.length;
      const count = stream.isComplete ? countTlsRecords(stream.bytes) : 0;
      if (count === undefined) plain.push(stream.key);
      else records += count;
      if (plainText.test(stream.bytes.toString("latin1"))) plain.push(`${stream.key} (readable)`);
    }
    const seen =
      plain.length > 0
        ? `not TLS: ${plain.slice(0, 3).join("; ")}`
        : `${streams.length} streams, ${bytes} bytes, ${records} TLS records, nothing else`;
    return outcome("only TLS on the wire between workloads", plain.length === 0 && records > 0, seen);
  }
}
