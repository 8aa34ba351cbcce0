import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { afterEach, describe, it } from "node:test";
import tls from "node:tls";
import { FakeClock } from "@weft/testkit/fake-clock";
import { freePort } from "@weft/testkit/free-port";
import { TestCa } from "@weft/testkit/test-ca";
import type { Connecting } from "./connect.ts";
import { connectedAddress, connectInTurn } from "./connect-in-turn.ts";
import { formatAddress, type SocketAddress } from "./socket-address.ts";
import { Timers } from "./timers.ts";
import type { UpstreamTlsPlan } from "./tls-plan.ts";

const ca = new TestCa();
const svid = ca.leaf("default", "reviews");
const servers: Server[] = [];
const sockets = new Set<Socket>();
afterEach(() => {
  for (const server of servers.splice(0)) server.close();
  for (const socket of sockets) socket.destroy();
});

const loopback = (port: number): SocketAddress => ({ kind: "ip", host: "127.0.0.1", port });
const nobody = async () => loopback(await freePort());

async function listen(server: Server): Promise<SocketAddress> {
  servers.push(server);
  server.on("connection", (socket: Socket) => sockets.add(socket.on("error", () => {})));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return loopback((server.address() as AddressInfo).port);
}

/** Takes connections and says nothing: to TLS as good as none. */
const silent = () => listen(createServer());
const speaking = () =>
  listen(
    tls.createServer({ key: svid.keyPem, cert: svid.chainPem }, (socket) => socket.on("error", () => {})),
  );

const secured: UpstreamTlsPlan = {
  context: { current: tls.createSecureContext({ ca: ca.bundlePem }), generation: 1 },
  sni: "",
  alpnProtocols: [],
  verifiesPeer: true,
  matchesSan: undefined,
};

interface Attempted {
  /** How it ended: where to, or why not. */
  readonly ended: Promise<string>;
  attempts: number;
  readonly clock: FakeClock;
  readonly connecting: Connecting;
}

function attempt(turns: readonly SocketAddress[], plan?: UpstreamTlsPlan): Attempted {
  const clock = new FakeClock();
  const { promise, resolve } = Promise.withResolvers<string>();
  const place = { address: turns[0]!, turns };
  const options = {
    tls: plan,
    serverName: "",
    localAddresses: undefined,
    preface: undefined,
    timers: new Timers(clock),
  };
  const made = { ended: promise, attempts: 0, clock };
  const connecting = connectInTurn(place, options, {
    onAttempt: () => {
      made.attempts += 1;
    },
    onConnected: (socket) => {
      sockets.add(socket);
      resolve(formatAddress(connectedAddress(place, socket)!));
    },
    onFailed: (_reason, message, transport) => resolve(message || transport),
  });
  return Object.assign(made, { connecting });
}

describe("a place with several addresses", () => {
  it("is connected to at the first that takes a connection, without a wait for those that refuse", async () => {
    const open = await silent();
    const made = attempt([await nobody(), await nobody(), open, await silent()]);
    assert.equal(await made.ended, formatAddress(open));
    await made.clock.advance(1_000);
    assert.equal(made.attempts, 3);
  });

  it("fails with the last reason where none takes one", async () => {
    const made = attempt([await nobody(), await nobody()]);
    assert.equal(await made.ended, "Connection refused");
    assert.equal(made.attempts, 2);
  });

  it("is tried at the next address after 300 ms of silence, and the first connection is kept", async () => {
    const open = await speaking();
    const made = attempt([await silent(), open], secured);
    await made.clock.advance(299);
    assert.equal(made.attempts, 1);
    await made.clock.advance(1);
    assert.equal(made.attempts, 2);
    assert.equal(await made.ended, formatAddress(open));
  });

  it("is still waited for at an address that is silent when the others refuse", async () => {
    const speaker = tls.createServer({ key: svid.keyPem, cert: svid.chainPem });
    const { promise: taken, resolve: take } = Promise.withResolvers<Socket>();
    const late = await listen(createServer(take));
    const made = attempt([late, await nobody()], secured);
    const socket = await taken;
    await made.clock.advance(300);
    assert.equal(made.attempts, 2);
    speaker.emit("connection", socket);
    assert.equal(await made.ended, formatAddress(late));
  });

  it("is not tried any more once it is given up", async () => {
    const made = attempt([await silent(), await nobody()], secured);
    made.connecting.cancel();
    await made.clock.advance(1_000);
    assert.equal(made.attempts, 1);
  });
});
