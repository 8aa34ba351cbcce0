/** Certificates as resources that gateways are given. */
import type { TestCa, TestSvid } from "../../packages/testkit/src/test-ca.ts";

export function secret(
  name: string,
  { chainPem, keyPem }: TestSvid,
  more: Record<string, string> = {},
  namespace = "default",
): string {
  const text = (value: string) => Buffer.from(value).toString("base64");
  const data = { "tls.crt": chainPem, "tls.key": keyPem, ...more };
  const lines = Object.entries(data).map(([key, value]) => `  ${key}: ${text(value)}\n`);
  return `apiVersion: v1\nkind: Secret\nmetadata: { name: ${name}, namespace: ${namespace} }\ntype: Opaque\ndata:\n${lines.join("")}---\n`;
}

/** What verifies certificates of an authority. */
export function configMap(name: string, { bundlePem }: TestCa): string {
  return `apiVersion: v1\nkind: ConfigMap\nmetadata: { name: ${name} }\ndata: { ca.crt: ${JSON.stringify(bundlePem)} }\n---\n`;
}
