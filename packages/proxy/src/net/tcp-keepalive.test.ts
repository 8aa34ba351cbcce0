import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { type AddressInfo, connect, createServer } from "node:net";
import { test } from "node:test";
import { libcFunction } from "./libc.ts";
import { keepAlive } from "./tcp-keepalive.ts";

const skip = process.platform === "linux" ? false : "only Linux is asked exactly";

test("a connection is kept alive as planned, and by the system's settings for the rest", {
  skip,
}, async () => {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const getsockopt = libcFunction("int getsockopt(int, int, int, _Out_ void *, _Inout_ void *)") as (
    ...args: unknown[]
  ) => number;
  const systemDefault = (name: string) =>
    Number(execFileSync("cat", [`/proc/sys/net/ipv4/tcp_keepalive_${name}`], { encoding: "utf8" }));
  for (const [plan, expected] of [
    [{ timeS: 60, intervalS: 7, probes: 3 }, [1, 60, 7, 3]],
    [
      { timeS: 60, intervalS: undefined, probes: undefined },
      [1, 60, systemDefault("intvl"), systemDefault("probes")],
    ],
    [
      { timeS: undefined, intervalS: undefined, probes: undefined },
      [1, systemDefault("time"), systemDefault("intvl"), systemDefault("probes")],
    ],
  ] as const) {
    const socket = connect((server.address() as AddressInfo).port, "127.0.0.1");
    await once(socket, "connect");
    keepAlive(socket, plan);
    const { fd } = (socket as unknown as { _handle: { fd: number } })._handle;
    const read = (level: number, option: number) => {
      const value = Buffer.alloc(4);
      const length = Buffer.from([4, 0, 0, 0]);
      assert.equal(getsockopt(fd, level, option, value, length), 0);
      return value.readInt32LE();
    };
    assert.deepEqual([read(1, 9), read(6, 4), read(6, 5), read(6, 6)], expected);
    socket.destroy();
  }
  server.close();
});
