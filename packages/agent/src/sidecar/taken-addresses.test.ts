import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { after, test } from "node:test";
import { UserError } from "@weft/base/errors";
import { FakeClock } from "@weft/testkit/fake-clock";
import { loopbackNetwork } from "@weft/testkit/loopback-network";
import type { RunOptions } from "../run-options.ts";
import { planWorkload } from "../workload-plan.ts";
import { refuseTakenAddresses } from "./taken-addresses.ts";

const network = await loopbackNetwork();
const address = `${network}.1`;
const taken = createServer().listen(0, address);
await once(taken, "listening");
after(() => taken.close());
const { port } = taken.address() as AddressInfo;
const others = createServer().listen(15090, `${network}.2`);
await once(others, "listening");
after(() => others.close());

const here = { isRoot: false, hasNft: false, hasOwnNetwork: false, addresses: [], runtimeDir: "/run" };

/** What is said of a workload with these options. */
async function refusal(options: Partial<RunOptions>): Promise<UserError | undefined> {
  const clock = new FakeClock();
  const plan = planWorkload(
    {
      name: "web",
      ports: [],
      command: ["true"],
      productVersion: "1",
      capture: "none",
      addresses: [address],
      ...options,
    },
    here,
  );
  let over = false;
  const refused = refuseTakenAddresses(plan, clock).then(
    () => undefined,
    (error: UserError) => error,
  );
  void refused.then(() => (over = true));
  while (!over) {
    await new Promise((resolve) => setImmediate(resolve));
    await clock.advance(200);
  }
  return refused;
}

const cases: readonly (readonly [string, Partial<RunOptions>, string, RegExp])[] = [
  [
    "a port of the application that something has at that address",
    { ports: [{ port, protocol: "http", name: "http" }] },
    `--port ${port}: the sidecar cannot listen on ${address}:${port}: the address is in use`,
    /--inbound-port/,
  ],
  [
    "an inbound port that is taken",
    { ports: [{ port: 80, protocol: "http", name: "http" }], inboundPorts: new Map([[80, port]]) },
    `--inbound-port 80=${port}: the sidecar cannot listen on ${address}:${port}: the address is in use`,
    /--inbound-port 80=PORT/,
  ],
  [
    "an upstream whose local address is taken",
    { upstreams: [{ host: "api", port: 80, bindAddress: address, bindPort: port }] },
    `--upstream api:80=${address}:${port}: the sidecar cannot listen on ${address}:${port}: the address is in use`,
    /behind the =/,
  ],
  [
    "a second workload at one address",
    { addresses: [`${network}.2`] },
    `--address ${network}.2: the sidecar cannot listen on ${network}.2:15090: the address is in use`,
    /an address of its own with --address/,
  ],
  [
    "a second address that another workload has",
    { addresses: [`${network}.4`, `${network}.2`] },
    `--address ${network}.2: the sidecar cannot listen on ${network}.2:15090: the address is in use`,
    /an address of its own with --address/,
  ],
  [
    "an address of another machine",
    { addresses: ["192.0.2.1"] },
    "--address 192.0.2.1: the sidecar cannot listen on 192.0.2.1:15090: this machine has no such address",
    /--address/,
  ],
];
for (const [name, options, message, hint] of cases) {
  test(`${name} is refused by the name of its flag`, async () => {
    const error = await refusal(options);
    assert.ok(error instanceof UserError, String(error));
    assert.equal(error.message, message);
    assert.match(error.hint ?? "", hint);
  });
}

test("free addresses are left free", async () => {
  const free = { addresses: [`${network}.3`] };
  assert.equal(await refusal(free), undefined);
  assert.equal(await refusal(free), undefined);
});
