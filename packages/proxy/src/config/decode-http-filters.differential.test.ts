import assert from "node:assert/strict";
import { test } from "node:test";
import { startSideBySide, withEnvoy } from "../filters/side-by-side-fixture.ts";

const rbac = (name: string, denied: string, more = "") => `
- name: ${name}
  ${more}
  typed_config:
    "@type": type.googleapis.com/envoy.extensions.filters.http.rbac.v3.RBAC
    rules:
      action: DENY
      policies: { ${name}: { permissions: [{ url_path: { path: { prefix: ${denied} } } }], principals: [{ any: true }] } }
`;
const configured = (body: string) =>
  `{ "@type": type.googleapis.com/envoy.config.route.v3.FilterConfig, ${body} }`;
const perRoute = `{ "@type": type.googleapis.com/envoy.extensions.filters.http.rbac.v3.RBACPerRoute }`;
const route = (path: string, configs = "") =>
  `- { match: { prefix: ${path} }, route: { cluster: upstream }${configs === "" ? "" : `, typed_per_filter_config: { ${configs} }`} }`;

test("routes switch filters on and off as in Envoy", withEnvoy, async () => {
  const both = await startSideBySide({
    filters: rbac("first", "/first") + rbac("second", "/second", "disabled: true"),
    virtualHost: `typed_per_filter_config: { first: ${configured("disabled: true")} }`,
    routes: [
      route("/first/on", `first: ${configured("config: {}")}`),
      route("/first/off", `first: ${configured("disabled: true")}`),
      route("/second/on", `second: ${configured("config: {}")}`),
      route("/second/empty", `second: ${perRoute}`),
      route("/second/wrapped", `second: ${configured(`config: ${perRoute}`)}`),
      route("/"),
    ].join("\n"),
  });
  try {
    for (const path of [
      "/first/on",
      "/first/off",
      "/first/host",
      "/second/on",
      "/second/empty",
      "/second/wrapped",
      "/second/host",
    ]) {
      const { envoy, weft } = await both.ask({ path });
      assert.deepEqual(weft, envoy, path);
    }
    const { envoy, weft } = await both.logged(7);
    assert.deepEqual(weft, envoy);
  } finally {
    await both.close();
  }
});
