import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { noKubernetes, TestKubernetes } from "../packages/testkit/src/kubernetes.ts";
import { LocalMesh } from "./local-mesh.ts";

test("pods join by their projected token, renew by it, and are told why not", {
  skip: noKubernetes ?? false,
}, async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "weft-e2e-pods-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const at = (name: string) => join(folder, name);
  const cluster = await TestKubernetes.start();
  t.after(() => cluster.close());
  await cluster.createNamespace("weft-system");
  await cluster.writeReviewerConfig("weft-system", "weft", at("kubeconfig"));
  await cluster.createServiceAccount("default", "web");
  await cluster.createPod("default", "web-1", "web");
  const ttl = ["--certificate-ttl", "20s"];
  const mesh = await LocalMesh.start("--service-account-tokens", at("kubeconfig"), ...ttl);
  t.after(() => mesh.close());

  writeFileSync(at("roots.pem"), (await mesh.weft("ca", "status", "-o", "pem")).stdout);
  const project = async (wishes: { pod?: string; audience?: string } = {}) =>
    writeFileSync(
      at("token"),
      await cluster.tokenFor({ namespace: "default", serviceAccount: "web", pod: "web-1", ...wishes }),
    );
  const joining = ["--service-account-token", at("token"), "--root-cert", at("roots.pem")];
  const rights = async (subject: string) => {
    const { stdout } = await mesh.weft("audit", "log", "--event", "certificate issued", "-o", "json");
    const entries = JSON.parse(stdout) as { subject: string; authorizedBy: string }[];
    return entries.filter((entry) => entry.subject.endsWith(subject)).map(({ authorizedBy }) => authorizedBy);
  };

  await project({ audience: "vault" });
  mesh.runBy(joining, "web", 1, [], ["sleep", "60"]);
  assert.equal(await mesh.exitOf("web"), 1);
  assert.match(
    mesh.saidBy("web"),
    /--service-account-token: refused by the control plane: .*audience of this mesh/,
  );

  await project();
  mesh.runBy(joining, "other", 2, ["--service-account", "api"], ["sleep", "60"]);
  assert.equal(await mesh.exitOf("other"), 1);
  assert.match(
    mesh.saidBy("other"),
    /no certificate for .*\/sa\/api: .*service-account token is for .*\/sa\/web/,
  );

  cluster.pause();
  mesh.runBy(joining, "web", 1, [], ["sleep", "600"]);
  await mesh.until("it says what it waits for", () =>
    /waiting for the control plane: .*Kubernetes API server/.test(mesh.saidBy("web")),
  );
  cluster.resume();
  await mesh.until("it has joined, and renewed", async () => (await rights("/sa/web")).length >= 2);
  for (const right of await rights("/sa/web")) assert.match(right, /^kubernetes pod default\/web-1 /);

  await cluster.deletePod("default", "web-1");
  // The API server remembers a good token for ten seconds, and the next renewal is half a life away.
  const isRefused = () =>
    /certificate not renewed: .*service-account token is not good/.test(mesh.saidBy("web"));
  await mesh.until("its certificate is renewed no more", isRefused, 60);
});
