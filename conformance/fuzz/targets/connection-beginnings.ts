import assert from "node:assert/strict";
import { parseClientHello } from "@weft/proxy/net/client-hello";
import { encodeProxyV1, encodeProxyV2 } from "@weft/proxy/net/encode-proxy-header";
import { parseProxyHeader } from "@weft/proxy/net/proxy-protocol";
import type { FuzzTarget } from "../target.ts";

function uint(bytes: number, value: number): Buffer {
  const buffer = Buffer.alloc(bytes);
  buffer.writeUIntBE(value, 0, bytes);
  return buffer;
}

function prefixed(bytes: number, ...parts: Buffer[]): Buffer {
  const body = Buffer.concat(parts);
  return Buffer.concat([uint(bytes, body.length), body]);
}

function hello(serverName: string, protocols: readonly string[]): Buffer {
  const sni = Buffer.concat([
    uint(2, 0),
    prefixed(2, prefixed(2, uint(1, 0), prefixed(2, Buffer.from(serverName)))),
  ]);
  const alpn = Buffer.concat([
    uint(2, 16),
    prefixed(2, prefixed(2, ...protocols.map((protocol) => prefixed(1, Buffer.from(protocol))))),
  ]);
  const body = [
    uint(2, 0x303),
    Buffer.alloc(32),
    prefixed(1),
    prefixed(2, uint(2, 0x1301)),
    prefixed(1, uint(1, 0)),
  ];
  const message = Buffer.concat([uint(1, 1), prefixed(3, ...body, prefixed(2, sni, alpn))]);
  return Buffer.concat([Buffer.from([22, 3, 1]), prefixed(2, message)]);
}

/** What a parser says of ever longer beginnings: once it has decided, more bytes change nothing. */
function decidesOnce(
  input: Buffer,
  parse: (bytes: Buffer) => { readonly kind: string },
  undecided: string,
): void {
  let decided: unknown;
  const step = Math.max(1, input.length >> 6);
  for (let length = 0; length <= input.length; length += step) {
    const result = parse(input.subarray(0, length));
    if (decided !== undefined) assert.deepEqual(result, decided);
    else if (result.kind !== undecided) decided = result;
  }
}

export const clientHellos: FuzzTarget = {
  name: "client-hellos",
  seeds: [
    hello("reviews", ["h2", "http/1.1"]),
    hello("", []),
    hello("a".repeat(200), ["istio"]),
    Buffer.from("GET / HTTP/1.1\r\n"),
  ],
  tokens: ["\x16\x03\x01", "\0\0", "\xff\xff", "\0\x10", "\x01\0", "h2"],
  check(input) {
    decidesOnce(input, parseClientHello, "incomplete");
    const result = parseClientHello(input);
    if (result.kind !== "hello") return;
    const { serverName, alpnProtocols } = result.hello;
    assert.equal(serverName, serverName.toLowerCase());
    assert.ok(serverName.length + alpnProtocols.join("").length <= input.length);
  },
};

const from = { kind: "ip", host: "192.0.2.1", port: 1000 } as const;
const to = { kind: "ip", host: "192.0.2.2", port: 2000 } as const;
const from6 = { kind: "ip", host: "2001:db8::1", port: 1000 } as const;
const to6 = { kind: "ip", host: "2001:db8::2", port: 2000 } as const;

export const proxyHeaders: FuzzTarget = {
  name: "proxy-headers",
  seeds: [
    encodeProxyV1(from, to),
    encodeProxyV1(from6, to6),
    encodeProxyV2(from, to, []),
    encodeProxyV2(from6, to6, []),
    Buffer.from("PROXY UNKNOWN\r\n"),
    Buffer.from("GET / HTTP/1.1\r\n"),
  ],
  tokens: [
    "PROXY ",
    "TCP4 ",
    "\r\n",
    "\r\n\r\n\0\r\nQUIT\n",
    "\x21\x11",
    "\x21\x21",
    "65536",
    "::",
    "\0\0",
    "\xff\xff",
    " ",
  ],
  check(input) {
    decidesOnce(input, parseProxyHeader, "incomplete");
  },
};
