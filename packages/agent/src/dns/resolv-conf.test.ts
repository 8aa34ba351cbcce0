import assert from "node:assert/strict";
import { test } from "node:test";
import { parseResolvConf } from "./resolv-conf.ts";

const cases: readonly [why: string, text: string, expected: ReturnType<typeof parseResolvConf>][] = [
  ["an empty file means this host", "", { nameservers: ["127.0.0.1"], searchDomains: [] }],
  [
    "comments and options are skipped, both families are taken",
    "# made by hand\nnameserver 10.0.0.2 ; first\nnameserver fe80::1%eth0\noptions ndots:5\nnameserver not-an-address\n",
    { nameservers: ["10.0.0.2", "fe80::1%eth0"], searchDomains: [] },
  ],
  [
    "libc asks three servers at most",
    "nameserver 1.1.1.1\nnameserver 1.1.1.2\nnameserver 1.1.1.3\nnameserver 1.1.1.4",
    { nameservers: ["1.1.1.1", "1.1.1.2", "1.1.1.3"], searchDomains: [] },
  ],
  [
    "the last search or domain line wins",
    "domain a.example\nsearch b.example c.example .\n",
    { nameservers: ["127.0.0.1"], searchDomains: ["b.example", "c.example"] },
  ],
];

for (const [why, text, expected] of cases) {
  test(`resolv.conf: ${why}`, () => assert.deepEqual(parseResolvConf(text), expected));
}
