import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { envoy, startEnvoy, startWeft, withEnvoy } from "../filters/side-by-side-fixture.ts";
import { answeringChain, chosenChain, hello, type Opening, text } from "./test-openings.ts";

/** Chains that answer with their name, in an order that must not matter. */
const chains: Readonly<Record<string, object>> = {
  "any TLS": { transport_protocol: "tls" },
  "any .org": { server_names: ["*.org"] },
  "any .example.org": { server_names: ["*.example.org"] },
  "a.example.org": { server_names: ["a.example.org"] },
  "a.example.org, h2": { server_names: ["a.example.org"], application_protocols: ["h2"] },
  "b.example.net or c.example.org": { server_names: ["b.example.net", "c.example.org"] },
  "h2 or istio over TLS": { transport_protocol: "tls", application_protocols: ["h2", "istio"] },
  "HTTP/1.1": { transport_protocol: "raw_buffer", application_protocols: ["http/1.1"] },
  "HTTP/2": { transport_protocol: "raw_buffer", application_protocols: ["h2c"] },
  "HTTP/1.0": { application_protocols: ["http/1.0"] },
  "other text": { transport_protocol: "raw_buffer" },
};

const openings: readonly Opening[] = [
  hello(""),
  hello("", "h2"),
  hello("", "istio", "http/1.1"),
  hello("", "http/1.1"),
  hello("a.example.org"),
  hello("a.example.org", "h2"),
  hello("a.example.org", "http/1.1", "h2"),
  hello("a.example.org", "istio"),
  hello("A.Example.ORG"),
  hello("b.example.org", "h2"),
  hello("x.b.example.org"),
  hello("c.example.org"),
  hello("example.org"),
  hello("b.example.net"),
  hello("a.example.net"),
  hello("a.example.net", "h2"),
  text("HTTP/1.1", "GET / HTTP/1.1\r\nhost: x\r\n\r\n"),
  text("HTTP/1.0", "GET / HTTP/1.0\r\n\r\n"),
  text("an unknown method", "BREW /pot HTTP/1.1\r\nhost: x\r\n\r\n"),
  text("HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
  text("a preface that breaks off", "PRI * HTTP/2.0\r\n\r\nSM\r\nxx"),
  text("lower case", "get / http/1.1\r\nhost: x\r\n\r\n"),
  text("SMTP", "HELO mail.example\r\n"),
  text("Redis", "*1\r\n$4\r\nPING\r\n"),
  text("zeros", "\0\0\0\0\0\0\0\0"),
  text("a TLS record that is no hello", "\x16\x03\x01\x00\x04\x02\x00\x00\x00"),
  text("TLS alert", "\x15\x03\x01\x00\x02\x02\x28"),
];

function bootstrap(): string {
  const type = (name: string) => ({ "@type": `type.googleapis.com/envoy.extensions.filters.${name}` });
  const address = { socket_address: { address: "127.0.0.1", port_value: 0 } };
  const filter_chains = Object.entries(chains).map(([name, filter_chain_match]) =>
    answeringChain(name, { filter_chain_match }),
  );
  const listener_filters = ["tls_inspector.v3.TlsInspector", "http_inspector.v3.HttpInspector"].map(
    (name) => ({
      name,
      typed_config: type(`listener.${name}`),
    }),
  );
  const main = { name: "main", address, listener_filters, filter_chains };
  return JSON.stringify({ admin: { address }, static_resources: { listeners: [main] } });
}

const directory = mkdtempSync(join(tmpdir(), "weft-chains-"));
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

for (const { name, bytes } of openings) {
  test(`the filter chain for ${name} is Envoy's choice`, withEnvoy, async () => {
    const opening = await bytes();
    const expected = await chosenChain(theirs!.ports.get("main")!, opening);
    assert.equal(await chosenChain(ours!.ports.get("main")!, opening), expected);
  });
}
