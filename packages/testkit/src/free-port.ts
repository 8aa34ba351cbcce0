/** Ports that stay free: for processes that must be told theirs, and for upstreams that must not answer. */
import { once } from "node:events";
import { createServer } from "node:net";

/** Below the range that the kernel gives to `listen(0)` and to clients (`ip_local_port_range`). */
const firstPort = 10_000;
const ports = 22_000;
const given = new Set<number>();

/**
 * A port of 127.0.0.1 where nobody listens, and that nobody is given by chance.
 *
 * A port found by listening on 0 and closing again is the kernel's to hand to
 * the next listener or client, so that a test beside this one may answer on
 * it. This one is chosen at random outside that range and tried once; two
 * processes choosing the same in the same moment is what remains.
 *
 * @throws When fifty ports in a row are taken.
 */
export async function freePort(): Promise<number> {
  for (let attempt = 0; attempt < 50; attempt++) {
    const port = firstPort + Math.floor(Math.random() * ports);
    if (given.has(port) || !(await isFree(port))) continue;
    given.add(port);
    return port;
  }
  throw new Error("fifty ports in a row were taken");
}

/** As many different ports, each as {@link freePort} gives it. */
export async function freePorts(count: number): Promise<number[]> {
  const found: number[] = [];
  while (found.length < count) found.push(await freePort());
  return found;
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer();
  const listening = once(server, "listening").then(
    () => true,
    () => false,
  );
  server.listen(port, "127.0.0.1");
  if (!(await listening)) return false;
  server.close();
  await once(server, "close");
  return true;
}
