import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { UserError } from "@weft/base/errors";
import { readClusterAccess } from "./cluster-access.ts";

const folder = mkdtempSync(join(tmpdir(), "weft-cluster-"));
after(() => rmSync(folder, { recursive: true }));
const write = (name: string, text: string) => {
  writeFileSync(join(folder, name), text);
  return join(folder, name);
};
const base64 = (text: string) => Buffer.from(text).toString("base64");

interface Parts {
  readonly cluster?: object;
  readonly user?: object;
  readonly current?: string;
}

function kubeconfig({ cluster = {}, user = { token: "t" }, current = "here" }: Parts = {}): string {
  return write(
    "config",
    JSON.stringify({
      "current-context": current,
      contexts: [{ name: "here", context: { cluster: "one", user: "me" } }],
      clusters: [
        {
          name: "one",
          cluster: {
            server: "https://10.0.0.1:6443",
            "certificate-authority-data": base64("ROOT"),
            ...cluster,
          },
        },
      ],
      users: [{ name: "me", user }],
    }),
  );
}

test("a kubeconfig's current context says where the server is, whom to believe and what to show", () => {
  const { url, credentials } = readClusterAccess(
    kubeconfig({ cluster: { "tls-server-name": "kubernetes" } }),
  );
  assert.equal(url.href, "https://10.0.0.1:6443/");
  assert.deepEqual(credentials(), { ca: "ROOT", serverName: "kubernetes", authorization: "Bearer t" });
});

test("a client certificate in files beside it, and a token file, are read anew each time", () => {
  write("ca.pem", "ROOT");
  write("me.pem", "CERT");
  write("me.key", "KEY");
  write("token", "first\n");
  const { credentials } = readClusterAccess(
    kubeconfig({
      cluster: { "certificate-authority-data": "", "certificate-authority": "ca.pem" },
      user: { "client-certificate": "me.pem", "client-key": "me.key", tokenFile: "token" },
    }),
  );
  assert.deepEqual(credentials(), { ca: "ROOT", authorization: "Bearer first", cert: "CERT", key: "KEY" });
  write("token", "second\n");
  write("ca.pem", "NEXT");
  assert.deepEqual(credentials(), { ca: "NEXT", authorization: "Bearer second", cert: "CERT", key: "KEY" });
});

test("a pod has both in its own files", () => {
  write("ca.crt", "ROOT");
  write("token", "mine\n");
  const env = { KUBERNETES_SERVICE_HOST: "fd00::1", KUBERNETES_SERVICE_PORT: "443" };
  const { url, credentials } = readClusterAccess("in-cluster", { env, folder });
  assert.equal(url.href, "https://[fd00::1]/");
  assert.deepEqual(credentials(), { ca: "ROOT", authorization: "Bearer mine" });
});

const secret = "s3cret";
const refusals: readonly (readonly [what: string, file: () => string, message: RegExp])[] = [
  ["that is not there", () => join(folder, "none"), /none: does not exist/],
  ["that is no YAML", () => write("config", `users: [{ token: ${secret}`), /it is not YAML/],
  ["that is empty", () => write("config", ""), /there is no context undefined/],
  ["without its context", () => kubeconfig({ current: "other" }), /there is no context "other"/],
  ["of a server without TLS", () => kubeconfig({ cluster: { server: "http://10.0.0.1" } }), /no https URL/],
  [
    "that believes any server",
    () => kubeconfig({ cluster: { "insecure-skip-tls-verify": true } }),
    /not taken/,
  ],
  [
    "that knows no root",
    () => kubeconfig({ cluster: { "certificate-authority-data": "" } }),
    /no certificate-authority/,
  ],
  ["that runs a program", () => kubeconfig({ user: { exec: { command: "aws" } } }), /exec is not taken/],
  [
    "with a password",
    () => kubeconfig({ user: { username: "me", password: secret } }),
    /username is not taken/,
  ],
  ["that shows nothing", () => kubeconfig({ user: {} }), /neither a token nor a client certificate/],
  [
    "with a certificate without its key",
    () => kubeconfig({ user: { "client-certificate-data": base64(secret) } }),
    /belong together/,
  ],
  ["whose token file is gone", () => kubeconfig({ user: { tokenFile: "gone" } }), /gone: does not exist/],
];
for (const [what, file, message] of refusals) {
  test(`a kubeconfig ${what} is refused by name, without what it holds`, () => {
    assert.throws(
      () => readClusterAccess(file()),
      (error) => {
        assert.ok(error instanceof UserError, String(error));
        assert.match(error.message, /^--service-account-tokens /);
        assert.match(error.message, message);
        assert.ok(!JSON.stringify([error.message, error.hint, String(error.cause ?? "")]).includes(secret));
        return true;
      },
    );
  });
}

test("outside a pod 'in-cluster' says so", () => {
  assert.throws(() => readClusterAccess("in-cluster", { env: {}, folder }), /this is no pod/);
});
