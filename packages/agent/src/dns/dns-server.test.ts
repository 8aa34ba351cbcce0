import assert from "node:assert/strict";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { connect } from "node:net";
import { after, before, test } from "node:test";
import { systemClock } from "@weft/base/clock";
import fc from "@weft/testkit/properties";
import dnsPacket from "dns-packet";
import { type DnsServer, startDnsServer } from "./dns-server.ts";
import { createForwarder, type Forwarder } from "./forwarder.ts";
import { MeshNames } from "./mesh-names.ts";
import { parseQuery } from "./query.ts";

const many = Array.from({ length: 100 }, (_, i) => `240.240.1.${i}`);
const names = new MeshNames(
  [
    {
      host: "reviews.default.svc.cluster.local",
      addresses: ["240.240.0.1", "fd00::1:2"],
      shortName: "reviews",
      namespace: "default",
    },
    {
      host: "v4.default.svc.cluster.local",
      addresses: ["240.240.0.9"],
      shortName: "v4",
      namespace: "default",
    },
    { host: "many.default.svc.cluster.local", addresses: many, shortName: "many", namespace: "default" },
  ],
  "default",
  [],
);

/** Answers NXDOMAIN by itself, so that what is forwarded can be told from what is answered here. */
const elsewhere: Forwarder = {
  async forward(packet) {
    const asked = dnsPacket.decode(packet);
    return dnsPacket.encode({ id: asked.id, type: "response", flags: 3, questions: asked.questions });
  },
};

let server: DnsServer;
before(async () => {
  server = await startDnsServer({
    addresses: ["127.0.0.1"],
    port: 0,
    names: () => names,
    isCallable: () => true,
    forwarder: elsewhere,
  });
});
after(() => server.close());

async function askUdp(packet: Buffer, port = server.port): Promise<Buffer> {
  const socket = createSocket("udp4");
  socket.send(packet, port, "127.0.0.1");
  const [answer] = await once(socket, "message");
  socket.close();
  return answer;
}

async function askTcp(packets: readonly Buffer[], port = server.port): Promise<Buffer[]> {
  const socket = connect(port, "127.0.0.1");
  for (const packet of packets) {
    const prefix = Buffer.alloc(2);
    prefix.writeUInt16BE(packet.length);
    socket.write(Buffer.concat([prefix, packet]));
  }
  let received = Buffer.alloc(0);
  const answers: Buffer[] = [];
  for await (const chunk of socket) {
    received = Buffer.concat([received, chunk]);
    while (received.length >= 2 && received.length >= 2 + received.readUInt16BE(0)) {
      const end = 2 + received.readUInt16BE(0);
      answers.push(received.subarray(2, end));
      received = received.subarray(end);
    }
    if (answers.length === packets.length) break;
  }
  return answers;
}

function question(name: string, type: string, id = 4711, udpPayloadSize?: number): Buffer {
  return dnsPacket.encode({
    id,
    type: "query",
    flags: 0x0100,
    questions: [{ name, type, class: "IN" }],
    additionals: udpPayloadSize ? [{ name: ".", type: "OPT", udpPayloadSize }] : [],
  });
}

const answers: readonly [name: string, type: string, rcode: string, data: readonly string[], why: string][] =
  [
    ["reviews", "A", "NOERROR", ["240.240.0.1"], "a mesh name has its IPv4 address"],
    ["reviews", "AAAA", "NOERROR", ["fd00::1:2"], "and its IPv6 address"],
    ["v4", "AAAA", "NOERROR", [], "a name without an IPv6 address exists: no data, not no name"],
    ["v4", "MX", "NOERROR", [], "nor has it another record"],
    ["nowhere.example", "A", "NXDOMAIN", [], "what is not the mesh's is answered by the resolver"],
  ];
for (const [name, type, rcode, data, why] of answers) {
  test(`${name} ${type} is ${rcode} ${data.join()}: ${why}`, async () => {
    for (const answer of [await askUdp(question(name, type)), (await askTcp([question(name, type)]))[0]!]) {
      const decoded = dnsPacket.decode(answer);
      assert.equal(decoded.id, 4711);
      assert.equal(decoded.rcode, rcode);
      assert.deepEqual(
        decoded.answers?.map((record) => record.data),
        data,
      );
    }
  });
}

test("the question comes back byte for byte, mixed case included", async () => {
  const asked = question("ReViEwS", "A");
  const answer = await askUdp(asked);
  assert.deepEqual(answer.subarray(12, asked.length), asked.subarray(12));
});

test("an answer too long for UDP is cut with the truncation bit set, and whole over TCP or with room announced", async () => {
  const cut = dnsPacket.decode(await askUdp(question("many", "A")));
  assert.equal(cut.flag_tc, true);
  assert.ok(cut.answers!.length < many.length);
  const roomy = dnsPacket.decode(await askUdp(question("many", "A", 1, 4096)));
  assert.equal(roomy.flag_tc, false);
  assert.equal(roomy.answers!.length, many.length);
  assert.equal(dnsPacket.decode((await askTcp([question("many", "A")]))[0]!).answers!.length, many.length);
});

test("several questions on one TCP connection are all answered", async () => {
  const ids = Array.from({ length: 60 }, (_, i) => i + 1);
  const replies = await askTcp(ids.map((id) => question("v4", "A", id)));
  assert.deepEqual(new Set(replies.map((reply) => reply.readUInt16BE(0))), new Set(ids));
});

test("an application that has one family is told no address of the other, of a name that exists", async () => {
  const ipv6Alone = await startDnsServer({
    addresses: ["127.0.0.1"],
    port: 0,
    names: () => names,
    isCallable: (type) => type === "AAAA",
    forwarder: elsewhere,
  });
  for (const [type, data] of [
    ["A", []],
    ["AAAA", ["fd00::1:2"]],
  ] as const) {
    const { rcode, answers } = dnsPacket.decode(await askUdp(question("reviews", type), ipv6Alone.port));
    assert.equal(rcode, "NOERROR", "not NXDOMAIN: clients would not ask for the other");
    assert.deepEqual(
      answers?.map((record) => record.data),
      data,
    );
  }
  await ipv6Alone.close();
});

test("a resolver's failure is SERVFAIL with the question", async () => {
  const broken = await startDnsServer({
    addresses: ["127.0.0.1"],
    port: 0,
    names: () => names,
    isCallable: () => true,
    forwarder: { forward: () => Promise.reject(new Error("down")) },
  });
  const answer = dnsPacket.decode(await askUdp(question("nowhere.example", "A"), broken.port));
  await broken.close();
  assert.equal(answer.rcode, "SERVFAIL");
  assert.equal(answer.questions?.[0]?.name, "nowhere.example");
});

test("malformed packets get FORMERR or silence, and the server goes on answering", async () => {
  const cutShort = question("reviews", "A").subarray(0, 20);
  assert.equal(dnsPacket.decode(await askUdp(cutShort)).rcode, "FORMERR");
  const noise = createSocket("udp4");
  noise.on("message", () => {});
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 600 }), async (bytes) => {
      noise.send(bytes, server.port, "127.0.0.1");
      assert.equal(dnsPacket.decode(await askUdp(question("v4", "A"))).rcode, "NOERROR");
    }),
    { numRuns: 200 },
  );
  noise.close();
});

test("parsing takes any bytes, and a valid question with any byte changed", () => {
  const valid = question("reviews.default.svc.cluster.local", "A", 1, 1232);
  fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => void parseQuery(Buffer.from(bytes))));
  fc.assert(
    fc.property(fc.nat(valid.length - 1), fc.nat(255), (at, value) => {
      const changed = Buffer.from(valid);
      changed[at] = value;
      parseQuery(changed);
    }),
  );
});

test("the forwarder takes only the answer to its own question, whatever else arrives", async () => {
  const resolver = createSocket("udp4");
  resolver.on("message", (packet, peer) => {
    const asked = dnsPacket.decode(packet);
    const good = { type: "response" as const, id: asked.id, questions: asked.questions };
    const send = (spoofed: Parameters<typeof dnsPacket.encode>[0]) =>
      resolver.send(dnsPacket.encode(spoofed), peer.port, peer.address);
    send({ ...good, id: asked.id! ^ 1, answers: [{ name: "x.example", type: "A", data: "6.6.6.1" }] });
    send({ ...good, questions: [{ name: "other.example", type: "A", class: "IN" }], answers: [] });
    send({ ...good, type: "query" });
    resolver.send(Buffer.from("noise"), peer.port, peer.address);
    send({ ...good, answers: [{ name: "x.example", type: "A", ttl: 1, data: "9.9.9.9" }] });
  });
  resolver.bind(0, "127.0.0.1");
  await once(resolver, "listening");
  const forwarder = createForwarder({
    nameservers: () => ["127.0.0.1"],
    clock: systemClock,
    port: resolver.address().port,
  });
  const packet = question("x.example", "A", 77);
  const parsed = parseQuery(packet);
  assert.equal(parsed.t, "query");
  const answer = dnsPacket.decode(await forwarder.forward(packet, parsed.query, "udp"));
  resolver.close();
  assert.equal(answer.id, 77, "the client's own id");
  assert.equal(answer.answers?.[0]?.data, "9.9.9.9");
});

test("the forwarder asks the next resolver when one refuses, and fails beyond its bound", async () => {
  const dead = createSocket("udp4");
  dead.bind(0, "127.0.0.1");
  await once(dead, "listening");
  const { port } = dead.address();
  dead.close();
  await once(dead, "close");
  const forwarder = createForwarder({
    nameservers: () => ["127.0.0.1"],
    clock: systemClock,
    port,
    attempts: 1,
    maxInFlight: 0,
  });
  const packet = question("x.example", "A");
  const parsed = parseQuery(packet);
  assert.equal(parsed.t, "query");
  await assert.rejects(forwarder.forward(packet, parsed.query, "udp"), /in flight/);
  const free = createForwarder({ nameservers: () => ["127.0.0.1"], clock: systemClock, port, attempts: 1 });
  await assert.rejects(free.forward(packet, parsed.query, "udp"), /ECONNREFUSED/);
});
