import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { formatDiagnostic } from "@weft/base/diagnostics";
import { parseConfig } from "./parse-config.ts";

function findings(servers: string): string[] {
  const text = `apiVersion: networking.istio.io/v1\nkind: Gateway\nmetadata: { name: g }\nspec:\n  servers:\n${servers}`;
  return parseConfig([{ name: "g.yaml", text }]).diagnostics.map(formatDiagnostic);
}

const server = (port: string, rest: string) => `    - { port: { number: 443, name: a, ${port} }, ${rest} }\n`;
const https = (tls: string) => server("protocol: HTTPS", `hosts: [a.example.com], tls: { ${tls} }`);

describe("a Gateway is accepted", () => {
  const cases: [name: string, servers: string][] = [
    ["with every host there is", server("protocol: HTTP", 'hosts: ["*"]')],
    [
      "with hosts of namespaces",
      server("protocol: GRPC", 'hosts: [./a.example.com, "*/b.example.com", "prod/*"]'),
    ],
    ["that sends clients to HTTPS", server("protocol: HTTP", 'hosts: ["*"], tls: { httpsRedirect: true }')],
    ["that leaves TLS to the service, as is the default", https("")],
    ["with a Secret", https("mode: SIMPLE, credentialName: a")],
    ["with clients verified by the same Secret", https("mode: MUTUAL, credentialName: a")],
    ["with the mesh's own certificate", https("mode: ISTIO_MUTUAL")],
    [
      "with two certificates",
      https("mode: SIMPLE, credentialNames: [rsa, ecdsa], minProtocolVersion: TLSV1_3"),
    ],
  ];
  for (const [name, servers] of cases) it(name, () => assert.deepEqual(findings(servers), []));
});

describe("a Gateway is refused", () => {
  const cases: [name: string, servers: string, expected: RegExp][] = [
    ["without a host", server("protocol: HTTP", "hosts: []"), /W1104: spec.servers\[0\].hosts is empty/],
    ["with a short name", server("protocol: HTTP", "hosts: [web]"), /W1203: .*"web" is a short name/],
    [
      "with a namespace that is none",
      server("protocol: HTTP", "hosts: [A_b/x.example]"),
      /"A_b" is not a namespace/,
    ],
    [
      "with an unknown protocol",
      server("protocol: HTPS", 'hosts: ["*"]'),
      /W1103: .*unknown value HTPS \(did you mean "HTTPS"/,
    ],
    [
      "with HTTPS and no TLS",
      server("protocol: HTTPS", 'hosts: ["*"]'),
      /W1104: spec.servers\[0\].tls is missing/,
    ],
    [
      "with TLS on plain HTTP",
      server("protocol: HTTP", 'hosts: ["*"], tls: { mode: SIMPLE, credentialName: a }'),
      /W1106: .*the port's protocol is HTTP/,
    ],
    ["with a certificate for nothing", https("credentialName: a"), /W1106: .*leaves TLS to the service/],
    ["without a certificate", https("mode: SIMPLE"), /W1104: .*mode SIMPLE needs a certificate/],
    ["without a key", https("mode: SIMPLE, serverCertificate: /a"), /W1104: .*privateKey is missing/],
    [
      "with nothing to verify clients by",
      https("mode: MUTUAL, serverCertificate: /a, privateKey: /b"),
      /W1104: .*verify clients/,
    ],
    [
      "with two sources of one certificate",
      https("mode: SIMPLE, credentialName: a, serverCertificate: /a, privateKey: /b"),
      /W1106: .*credentialName and serverCertificate at once/,
    ],
    [
      "with versions the wrong way round",
      https("mode: SIMPLE, credentialName: a, minProtocolVersion: TLSV1_3, maxProtocolVersion: TLSV1_2"),
      /above the highest/,
    ],
    [
      "with old TLS",
      https("mode: SIMPLE, credentialName: a, minProtocolVersion: TLSV1_0"),
      /W1302: .*TLS before 1.2 is not offered/,
    ],
    [
      "with an unknown cipher",
      https("mode: SIMPLE, credentialName: a, cipherSuites: [RC4-SHA]"),
      /W1103: .*RC4-SHA/,
    ],
    [
      "with a digest that is none",
      https("mode: MUTUAL, credentialName: a, verifyCertificateHash: [abc]"),
      /W1105: .*not a SHA-256 digest/,
    ],
    [
      "with a certificate that nobody is shown",
      https("mode: AUTO_PASSTHROUGH, credentialName: a"),
      /W1106: .*mode AUTO_PASSTHROUGH leaves TLS to the service/,
    ],
    [
      "with members of the mesh that nobody verifies",
      https("mode: ISTIO_MUTUAL, insecureSkipVerify: true"),
      /W1106: .*insecureSkipVerify is for MUTUAL and OPTIONAL_MUTUAL: .*claims to be a member/,
    ],
    [
      "with clients that show nothing, and need not verify",
      https("mode: SIMPLE, credentialName: a, insecureSkipVerify: true"),
      /W1106: .*with SIMPLE clients show no certificate/,
    ],
    ["with a socket's path", server("protocol: HTTP", 'hosts: ["*"], bind: "unix:/x"'), /bind/],
    [
      "with one port name twice",
      server("protocol: HTTP", 'hosts: ["*"]').repeat(2),
      /W1210: .*port name "a" is written twice/,
    ],
    ["without servers", "    []\n", /W1104: spec.servers is missing/],
  ];
  for (const [name, servers, expected] of cases) {
    it(name, () => assert.match(findings(servers).join("\n"), expected));
  }
});
