import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { envoy, startEnvoy, startWeft, withEnvoy } from "../filters/side-by-side-fixture.ts";
import { answeringChain, chosenChain, hello, text } from "./test-openings.ts";

const type = (name: string, more: object = {}) => ({
  name: "x",
  typed_config: { "@type": `type.googleapis.com/${name}`, ...more },
});
const input = (kind: string) => type(`envoy.extensions.matching.common_inputs.network.v3.${kind}`);
const chain = (value: string) => ({ action: type("google.protobuf.StringValue", { value }) });
const exactly = (kind: string, map: object, otherwise?: object) => ({
  matcher_tree: { input: input(kind), exact_match_map: { map } },
  ...(otherwise && { on_no_match: otherwise }),
});
const custom = (kind: string, matcher: object, otherwise?: object) => ({
  matcher_tree: { input: input(kind), custom_match: matcher },
  ...(otherwise && { on_no_match: otherwise }),
});
const names = (list: readonly object[], otherwise?: object) =>
  custom(
    "ServerNameInput",
    type("xds.type.matcher.v3.ServerNameMatcher", { domain_matchers: list }),
    otherwise,
  );
const ranges = (kind: string, list: readonly object[], otherwise?: object) =>
  custom(kind, type("xds.type.matcher.v3.IPMatcher", { range_matchers: list }), otherwise);
const range = (cidr: string, on_match: object, exclusive = false) => {
  const [address_prefix, length] = cidr.split("/");
  return { ranges: [{ address_prefix, prefix_len: Number(length) }], on_match, exclusive };
};
const nothing = { matcher: exactly("ServerNameInput", { "none.example": chain("none") }) };

/** One listener each. */
const matchers: Readonly<Record<string, object>> = {
  "what is spoken": exactly("TransportProtocolInput", {
    tls: {
      matcher: exactly(
        "ApplicationProtocolInput",
        { "'h2'": chain("h2"), "'h2','istio'": chain("istio") },
        chain("tls"),
      ),
    },
    raw_buffer: {
      matcher: exactly("ApplicationProtocolInput", { "'http/1.1'": chain("http"), "'h2c'": chain("h2c") }),
    },
  }),
  "names of servers": names(
    [
      { domains: ["a.example.org"], on_match: chain("exact") },
      { domains: ["*.example.org", "b.example.net"], on_match: chain("wildcard") },
      { domains: ["*.org"], on_match: chain("org") },
      { domains: ["c.example.org", "*.deep.example.org"], on_match: nothing },
      { domains: ["*"], on_match: chain("any") },
    ],
    chain("no name"),
  ),
  "where from": exactly("SourceTypeInput", {
    local: {
      matcher: ranges("SourceIPInput", [
        range("0.0.0.0/0", chain("anywhere")),
        range("127.0.0.0/8", chain("loopback")),
      ]),
    },
  }),
  "the narrowest range": ranges(
    "DirectSourceIPInput",
    [
      range("127.0.0.1/32", nothing),
      range("127.0.0.0/8", chain("exclusive"), true),
      range("127.0.0.0/7", chain("wider")),
    ],
    chain("elsewhere"),
  ),
  "an exclusive range": ranges("DestinationIPInput", [
    range("10.0.0.0/8", chain("ten")),
    range("127.0.0.0/8", chain("exclusive"), true),
  ]),
  "a port that is none": exactly("DestinationPortInput", { 1: chain("one") }),
};
const chains = [
  "h2",
  "istio",
  "tls",
  "http",
  "h2c",
  "exact",
  "wildcard",
  "org",
  "any",
  "no name",
  "none",
].concat(["anywhere", "loopback", "exclusive", "wider", "elsewhere", "ten", "one"]);
const openings = [
  hello(""),
  hello("", "h2"),
  hello("", "h2", "istio"),
  hello("", "http/1.1"),
  hello("a.example.org"),
  hello("A.Example.ORG"),
  hello("b.example.org"),
  hello("x.b.example.org"),
  hello("c.example.org"),
  hello("x.deep.example.org"),
  hello("example.org"),
  hello("b.example.net"),
  hello("x.b.example.net"),
  text("HTTP/1.1", "GET / HTTP/1.1\r\nhost: x\r\n\r\n"),
  text("HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
  text("SMTP", "HELO mail.example\r\n"),
];

const nameOf = (what: string) => what.replaceAll(" ", "-");

function bootstrap(): string {
  const address = { socket_address: { address: "127.0.0.1", port_value: 0 } };
  const filters = "envoy.extensions.filters.listener.";
  const listener_filters = [
    type(`${filters}tls_inspector.v3.TlsInspector`),
    { ...type(`${filters}http_inspector.v3.HttpInspector`), name: "y" },
  ];
  const listeners = Object.entries(matchers).map(([name, filter_chain_matcher]) => ({
    name: nameOf(name),
    address,
    listener_filters,
    filter_chain_matcher,
    filter_chains: chains.map((one) => answeringChain(one)),
    default_filter_chain: answeringChain("default"),
  }));
  return JSON.stringify({ admin: { address }, static_resources: { listeners } });
}

const directory = mkdtempSync(join(tmpdir(), "weft-chain-matcher-"));
let theirs: Awaited<ReturnType<typeof startEnvoy>> | undefined;
let ours: Awaited<ReturnType<typeof startWeft>> | undefined;

before(async () => {
  if (!envoy) return;
  theirs = await startEnvoy(bootstrap(), directory);
  ours = await startWeft(bootstrap());
});

after(async () => {
  await theirs?.close();
  await ours?.close();
  rmSync(directory, { recursive: true });
});

for (const name of Object.keys(matchers)) {
  test(`a matcher chooses the filter chain that Envoy's does, by ${name}`, withEnvoy, async () => {
    const both = await Promise.all(
      openings.map(async (opening) => {
        const bytes = await opening.bytes();
        const ask = (ports: ReadonlyMap<string, number>) => chosenChain(ports.get(nameOf(name))!, bytes);
        return { opening: opening.name, envoy: await ask(theirs!.ports), weft: await ask(ours!.ports) };
      }),
    );
    assert.deepEqual(
      both.filter((one) => one.envoy !== one.weft),
      [],
    );
    assert.ok(
      both.every((one) => one.envoy !== ""),
      "each was given to some chain",
    );
  });
}
