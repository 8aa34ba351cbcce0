/** Addresses of loopback for processes that take the same ports each at an address of its own. */
import { once } from "node:events";
import { createServer } from "node:net";

/** Below the kernel's own range and above that of `freePort`: nobody listens here at every address. */
const claimPort = 32_500;

let claimed: Promise<string> | undefined;

/**
 * Three quarters of an address, such as `127.143.7`: of this process alone
 * until it ends, whatever other tests run beside it. The same at each call.
 *
 * Claimed by listening at its last address, which nobody else is to use.
 *
 * @throws When fifty networks in a row are taken.
 */
export function loopbackNetwork(): Promise<string> {
  claimed ??= claim();
  return claimed;
}

async function claim(): Promise<string> {
  const below = (bound: number) => Math.floor(Math.random() * bound);
  for (let attempt = 0; attempt < 50; attempt++) {
    const network = `127.${100 + below(100)}.${below(256)}`;
    if (await holds(`${network}.254`)) return network;
  }
  throw new Error("fifty networks in a row were taken");
}

async function holds(address: string): Promise<boolean> {
  const server = createServer((socket) => socket.destroy()).unref();
  const listening = once(server, "listening").then(
    () => true,
    () => false,
  );
  server.listen({ port: claimPort, host: address, exclusive: true });
  return listening;
}
