import assert from "node:assert/strict";
import { test } from "node:test";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { OnDemandHostsSchema } from "./gen/weft/route/v1/on_demand_hosts_pb.js";
import { encodeHostNames, HostNames } from "./host-names.ts";

const many = Array.from({ length: 5_000 }, (_, i) => ({
  name: `s${i}.default.svc.cluster.local`,
  domains: [
    `s${i}.default.svc.cluster.local`,
    `S${i}`,
    `240.240.${i >> 8}.${i & 255}`,
    `[fd00::${i.toString(16)}]`,
  ],
}));

test("every domain leads to its virtual host, with the port and without, and no other host does", () => {
  const bytes = toBinary(OnDemandHostsSchema, encodeHostNames(80, many));
  assert.ok(bytes.length < many.length * 100, "bytes alone");
  const names = new HostNames(fromBinary(OnDemandHostsSchema, bytes));
  for (const { name, domains } of many) {
    for (const domain of domains.map((one) => one.toLowerCase())) {
      assert.equal(names.find(domain), name);
      assert.equal(names.find(`${domain}:80`), name);
      assert.equal(names.find(`${domain}:8080`), undefined);
    }
  }
  for (let i = 0; i < 5_000; i++) assert.equal(names.find(`host${i}.example.com`), undefined);
  for (const host of ["", ":80", "s", "s1.", "s1.default"]) assert.equal(names.find(host), undefined, host);
});

test("an empty list has nothing, and what cannot be one is refused", () => {
  assert.equal(new HostNames(encodeHostNames(80, [])).find("a"), undefined);
  const cases = [
    { names: Buffer.from("a\n"), domains: Buffer.alloc(13) },
    { names: Buffer.from("a"), domains: Buffer.alloc(12) },
    { names: Buffer.from("a\n"), domains: Buffer.from("000000000000000002000000", "hex") },
    { names: Buffer.alloc(0), domains: Buffer.alloc(12) },
  ];
  for (const init of cases) assert.throws(() => new HostNames(create(OnDemandHostsSchema, init)), RangeError);
});
