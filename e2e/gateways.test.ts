/**
 * A gateway as a person runs one, with either data plane: Istio's samples as
 * they are written, TLS in every mode, certificates that change while it serves.
 */
import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { once } from "node:events";
import { connect as connectPlain } from "node:net";
import { after, before, describe, test } from "node:test";
import { connect, type TLSSocket } from "node:tls";
import { tryCommand } from "../packages/cli/src/demo/command.ts";
import { configMap, secret } from "./gateways/certificates.ts";
import {
  ca,
  clients,
  curl,
  type Echoed,
  GatewayMesh,
  hosts,
  type Kind,
  kinds,
  server,
  throughPort,
} from "./gateways/gateway-mesh.ts";
import type { BackendAnswer } from "./gateways/servers.ts";

describe("a gateway", { skip: curl ? false : "no curl on the PATH" }, () => {
  let scene: GatewayMesh;
  before(async () => {
    scene = await GatewayMesh.start();
  });
  after(() => scene?.close());

  for (const kind of kinds) {
    describe(`whose proxy is ${kind}`, () => {
      const hello = ["-H", "x-forwarded-for: 192.0.2.9"];

      test("passes members of another network on to the services they name, and sees nothing of it", async () => {
        for (const member of kinds) {
          const url = `http://${scene.mesh.addressOf(hosts.member[member])}:${throughPort[kind]}/from-afar`;
          const ask = async () => (await tryCommand(curl!, ["-sS", "--max-time", "10", url])).stdout;
          await scene.mesh.until(`member-${member} is answered`, async () => (await ask()).startsWith("{"));
          const { service, path, headers } = JSON.parse(await ask()) as Echoed;
          assert.deepEqual([service, path], ["httpbin", "/from-afar"]);
          assert.match(
            headers["x-forwarded-client-cert"]!,
            new RegExp(`URI=spiffe://cluster.local/ns/default/sa/member-${member}$`),
          );
        }
        const server = "outbound_.8000_._.httpbin.default.svc.cluster.local";
        const to = { host: scene.addressOf(kind), port: 15443, rejectUnauthorized: false };
        const refused = async (options: object): Promise<string> => {
          const socket = connect({ ...to, ...options });
          try {
            await once(socket, "secureConnect");
            return "connected";
          } catch {
            return "refused";
          } finally {
            socket.destroy();
          }
        };
        assert.deepEqual(
          [
            await refused({ servername: server }),
            await refused({ servername: server.replace("8000", "9000"), ALPNProtocols: ["istio"] }),
            await refused({ servername: server.replace("httpbin", "productpage"), ALPNProtocols: ["istio"] }),
          ],
          ["refused", "refused", "refused"],
          "without the members' ALPN, another port, a service that the server does not name",
        );
      });

      test("serves bookinfo as Istio's sample has it, and nothing that it does not name", async () => {
        for (const path of ["/productpage", "/static/x.css", "/api/v1/products/0"]) {
          const answer = await scene.get(kind, `http://bookinfo.example:8080${path}`);
          assert.equal(answer.status, 200, path);
          assert.equal(answer.echoed().service, "productpage");
        }
        assert.equal((await scene.get(kind, "http://bookinfo.example:8080/admin")).status, 404);
      });

      test("serves httpbin on port 80, listening where its service's port is mapped to", async () => {
        const { status, echoed } = await scene.get(kind, "http://httpbin.example:8000/headers");
        assert.equal(status, 200);
        assert.equal(echoed().service, "httpbin");
      });

      test("serves a Gateway and an HTTPRoute of the Gateway API beside Istio's, on the same port", async () => {
        const { status, echoed } = await scene.get(kind, "http://bookinfo.example:8000/productpage");
        assert.equal(status, 200);
        assert.equal(echoed().service, "productpage");
        const shown = await scene.mesh.weft("get", "gtw", "bookinfo-gateway", "-o", "json");
        const [listener] = JSON.parse(shown.stdout).status.listeners;
        assert.equal(listener.attachedRoutes, 1);
        assert.deepEqual(
          listener.conditions.map(({ type, status: said }: Record<string, string>) => `${type} ${said}`),
          ["Accepted True", "ResolvedRefs True", "Conflicted False", "Programmed True"],
        );
      });

      test("calls members by mutual TLS with its own identity, and takes no client's word for it", async () => {
        const forged = [
          ["x-forwarded-client-cert", "By=x;URI=spiffe://cluster.local/ns/default/sa/admin"],
          ["x-envoy-peer-metadata", "Zm9yZ2Vk"],
          ["x-envoy-peer-metadata-id", "forged"],
          ["x-envoy-retry-on", "5xx"],
          ["x-envoy-original-path", "/admin"],
          ["x-forwarded-proto", "https"],
        ].flatMap(([name, value]) => ["-H", `${name}: ${value}`]);
        const { echoed } = await scene.get(kind, "http://a.example:8080/productpage", ...hello, ...forged);
        const { headers } = echoed();
        assert.match(
          headers["x-forwarded-client-cert"]!,
          new RegExp(`;URI=spiffe://cluster.local/ns/default/sa/ingress-${kind}$`),
        );
        assert.doesNotMatch(JSON.stringify(headers), /forged|Zm9yZ2Vk|sa\/admin/);
        assert.equal(headers["x-envoy-retry-on"], undefined);
        assert.equal(headers["x-envoy-original-path"], undefined);
        assert.equal(headers["x-forwarded-proto"], "http");
        assert.match(headers["x-forwarded-for"]!, /^192\.0\.2\.9,\s?\d+\.\d+\.\d+\.\d+$/);
        assert.notEqual(headers["x-envoy-external-address"], "192.0.2.9");
      });

      test("shows each host its own certificate, over HTTP/2 where the client can", async () => {
        for (const [host, flags] of [
          ["one.example.com", []],
          ["two.example.com", scene.as("friend")],
        ] as const) {
          const { status, head, stderr } = await scene.get(kind, `https://${host}:8443/`, ...flags);
          assert.equal(status, 200, stderr);
          assert.match(head, /^HTTP\/2/);
        }
      });

      test("lets in only clients whose certificate is of the right authority and name", async () => {
        const url = "https://two.example.com:8443/";
        assert.equal((await scene.get(kind, url)).status, 0, "no certificate");
        assert.equal((await scene.get(kind, url, ...scene.as("stranger"))).status, 0, "another name");
        assert.equal((await scene.get(kind, url, ...scene.as("forged"))).status, 0, "another authority");
        assert.equal((await scene.get(kind, url, ...scene.as("friend"))).status, 200);
      });

      test("lets in whoever comes where Istio's Gateway says that none need verify", async () => {
        const url = "https://open.example.com:8443/";
        for (const flags of [[], scene.as("friend"), scene.as("forged")]) {
          const { status, stderr } = await scene.get(kind, url, ...flags);
          assert.equal(status, 200, stderr);
        }
      });

      test("verifies clients as a Gateway's spec.tls says, on each port otherwise", async () => {
        const strict = "https://one.example.com:9443/productpage";
        assert.equal((await scene.get(kind, strict)).status, 0, "no certificate");
        assert.equal((await scene.get(kind, strict, ...scene.as("forged"))).status, 0, "another authority");
        assert.equal((await scene.get(kind, strict, ...scene.as("friend"))).status, 200);
        for (const [flags, told] of [
          [[], /^$/],
          [scene.as("friend"), /Hash=.*DNS=friend/],
          [scene.as("forged"), /Hash=.*DNS=friend/],
        ] as const) {
          const { status, body } = await scene.get(kind, "https://one.example.com:9444/backend", ...flags);
          assert.equal(status, 200);
          assert.match((JSON.parse(body) as BackendAnswer).told, told, "the backend may judge it");
        }
      });

      test("verifies new clients by another authority once its ConfigMap is another", async () => {
        const strict = "https://one.example.com:9443/productpage";
        const letsIn = async (name: string) =>
          (await scene.get(kind, strict, ...scene.as(name))).status === 200;
        await scene.apply("edge-clients.yaml", configMap("edge-clients", ca));
        await scene.mesh.until("the other authority's are let in", () => letsIn("forged"));
        await scene.mesh.until("those of the first are not", async () => !(await letsIn("friend")));
        await scene.apply("edge-clients.yaml", configMap("edge-clients", clients));
        await scene.mesh.until("those of the first are again", () => letsIn("friend"));
      });

      test("shows its certificate to a backend that a BackendTLSPolicy is for", async () => {
        const { status, body } = await scene.get(kind, "https://one.example.com:9444/backend");
        assert.equal(status, 200);
        assert.equal((JSON.parse(body) as BackendAnswer).caller, "DNS:edge.example.com");
        const shown = await scene.mesh.weft("get", "backendtlspolicy", "backend", "-o", "json");
        assert.deepEqual(
          JSON.parse(shown.stdout).status.ancestors.map(
            ({ ancestorRef }: { ancestorRef: { kind: string } }) => ancestorRef.kind,
          ),
          ["Gateway", "ServiceEntry"],
        );
      });

      test("serves the listener of a team's ListenerSet, with the team's certificate and route", async () => {
        const { status, echoed } = await scene.get(kind, "https://team.example.com:9444/any");
        assert.equal(status, 200);
        assert.equal(echoed().service, "productpage");
        assert.equal(
          (await scene.get(kind, "https://team.example.com:9443/any")).status,
          0,
          "on its own port alone",
        );
        const shown = await scene.mesh.weft("get", "lset", "team", "--namespace", "team", "-o", "json");
        const { conditions, listeners } = JSON.parse(shown.stdout).status;
        assert.deepEqual(
          [...conditions, ...listeners[0].conditions].map(
            ({ type, status: said }: Record<string, string>) => `${type} ${said}`,
          ),
          [
            ...["Accepted True", "Programmed True"],
            ...["Accepted True", "ResolvedRefs True", "Conflicted False", "Programmed True"],
          ],
        );
      });

      test("passes TLS on to the service that ends it", async () => {
        const { status, echoed } = await scene.get(kind, "https://secure.example.com:8443/x");
        assert.equal(status, 200);
        assert.equal(echoed().service, "secure");
        assert.equal(echoed().headers["x-request-id"], undefined, "nobody on the way sees the request");
      });

      test("closes connections for hosts it has no certificate for, rather than showing another's", async () => {
        for (const host of ["absent.example.com", "unknown.example.com"]) {
          assert.equal((await scene.get(kind, `https://${host}:8443/`)).status, 0, host);
        }
      });

      test("sends plain requests to HTTPS", async () => {
        const { status, head } = await scene.get(kind, "http://one.example.com:8081/a?b");
        assert.equal(status, 301);
        assert.match(head, /location: https:\/\/one\.example\.com(:8081)?\/a\?b/i);
      });

      test("serves a renewed certificate without closing a connection", async () => {
        const before = new X509Certificate(scene.one.chainPem).fingerprint256;
        const held = await connection(kind, "one.example.com");
        assert.equal(await ask(held), 200);
        const old = held.getPeerCertificate().fingerprint256;
        const renewed = server("one.example.com");
        await scene.apply("renewed.yaml", secret("one", renewed));
        const now = new X509Certificate(renewed.chainPem).fingerprint256;
        await scene.mesh.until("the renewed certificate is shown", async () => {
          const fresh = await connection(kind, "one.example.com");
          const shown = fresh.getPeerCertificate().fingerprint256;
          fresh.destroy();
          return shown === now;
        });
        assert.equal(await ask(held), 200, "the connection from before is still served");
        assert.notEqual(old, now);
        held.destroy();
        if (kind === kinds[0]) assert.equal(old, before);
      });

      test("reports as the side that calls, with the names of both", async () => {
        const counts = async () => {
          const address = scene.addressOf(kind);
          const text = await (await fetch(`http://${address}:15090/stats/prometheus`)).text();
          return text.split("\n").filter((line) => line.startsWith("istio_requests_total{"));
        };
        const wanted = [
          'reporter="source"',
          `source_workload="ingress-${kind}"`,
          'destination_service_name="productpage"',
          'connection_security_policy="unknown"',
          `source_principal="spiffe://cluster.local/ns/default/sa/ingress-${kind}"`,
          'response_code="200"',
        ];
        await scene.get(kind, "http://bookinfo.example:8080/productpage");
        await scene.mesh.until("the call is counted", async () =>
          (await counts()).some((line) => wanted.every((label) => line.includes(label))),
        );
      });

      test("shows no key in its own configuration, nor does the control plane anywhere", async () => {
        const address = scene.addressOf(kind);
        const dump = await (await fetch(`http://${address}:15000/config_dump?include_eds`)).text();
        const said = [
          dump,
          scene.mesh.saidBy(`ingress-${kind}`),
          ...(await Promise.all(
            [
              ["get", "all", "-o", "json"],
              ["get", "secret", "one"],
              ["get", "secret", "one", "-o", "json"],
              ["proxy-config", "secrets", `ingress-${kind}`, "-o", "json"],
              ["status", "-o", "json"],
            ].map(async (args) => {
              const { code, stdout, stderr } = await scene.mesh.weft(...args);
              assert.equal(code, 0, `${args.join(" ")}: ${stderr}`);
              return stdout + stderr;
            }),
          )),
        ].join("\n");
        assert.ok(said.includes("one.example.com"), "certificates are shown");
        const body = scene.one.keyPem.split("\n")[1]!;
        for (const form of [
          body,
          Buffer.from(scene.one.keyPem).toString("base64").slice(40, 80),
          "PRIVATE KEY",
        ]) {
          assert.ok(!said.includes(form), form);
        }
      });
    });
  }

  async function connection(kind: Kind, servername: string): Promise<TLSSocket> {
    const socket = connectPlain(8443, scene.addressOf(kind));
    const secured = connect({ socket, servername, ca: ca.bundlePem, ALPNProtocols: ["http/1.1"] });
    await once(secured, "secureConnect");
    return secured;
  }

  /** The status of a request over a connection that stays open. */
  async function ask(socket: TLSSocket): Promise<number> {
    socket.write("GET / HTTP/1.1\r\nhost: one.example.com\r\n\r\n");
    const [chunk] = (await once(socket, "data")) as [Buffer];
    return Number(/^HTTP\/1\.1 (\d+)/.exec(chunk.toString("latin1"))?.[1] ?? 0);
  }
});
