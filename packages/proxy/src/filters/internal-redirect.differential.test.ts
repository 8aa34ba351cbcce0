import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { type Sent, type SideBySide, startSideBySide, withEnvoy } from "./side-by-side-fixture.ts";

const policies = {
  plain: "redirect_response_codes: [301, 302, 303, 307, 308], response_headers_to_copy: [x-copy, x-none]",
  defaults: "max_internal_redirects: 1",
  twice: "max_internal_redirects: 2",
  secure: "allow_cross_scheme_redirect: true",
  safe: `allow_cross_scheme_redirect: true, predicates: [${predicate("safe_cross_scheme", "SafeCrossSchemeConfig")}]`,
  listed: `predicates: [${predicate("allow_listed_routes", "AllowListedRoutesConfig", ", allowed_route_names: [to]")}]`,
  once: `max_internal_redirects: 5, predicates: [${predicate("previous_routes", "PreviousRoutesConfig")}]`,
};

function predicate(name: string, type: string, more = ""): string {
  return `{ name: envoy.internal_redirect_predicates.${name}, typed_config: { "@type": type.googleapis.com/envoy.extensions.internal_redirect.${name}.v3.${type}${more} } }`;
}

/** Redirects to what its path ends in. */
const redirect = (policy: keyof typeof policies, status: number, location: string) =>
  `/${policy}/${status}/${encodeURIComponent(location)}`;

const to = "http://other/to?x=1#part";
const cases: [what: string, sent: Sent][] = [
  ["another host and path", { path: redirect("plain", 302, to), headers: { "x-none": "mine" } }],
  ["a host alone", { path: redirect("plain", 302, "http://other") }],
  ["a relative location", { path: redirect("plain", 302, "/to") }],
  ["no location", { path: "/plain/302/" }],
  ["another scheme", { path: redirect("plain", 302, "https://other/to") }],
  ["another scheme that may be", { path: redirect("secure", 302, "https://other/to") }],
  ["another scheme that is not safe", { path: redirect("safe", 302, "https://other/to") }],
  ["a route that is not there", { path: redirect("plain", 302, "http://other/nowhere") }],
  ["a direct response", { path: redirect("plain", 302, "http://other/direct") }],
  ["303 after a body", { method: "POST", path: redirect("plain", 303, to), body: "hello" }],
  ["303 after HEAD", { method: "HEAD", path: redirect("plain", 303, to) }],
  ["307 with a body", { method: "POST", path: redirect("plain", 307, to), body: "hello" }],
  ["308 with a body in the answer", { path: redirect("plain", 308, "http://other/to?body") }],
  ["a status that is not listed", { path: redirect("defaults", 307, to) }],
  ["302 where nothing is said", { path: redirect("defaults", 302, to) }],
  [
    "a second one beyond the limit",
    { path: redirect("plain", 302, `http://other${redirect("plain", 302, to)}`) },
  ],
  ["a second one within it", { path: redirect("twice", 302, `http://other${redirect("twice", 302, to)}`) }],
  ["a route that is listed", { path: redirect("listed", 302, to) }],
  ["a route that is not listed", { path: redirect("listed", 302, "http://other/direct") }],
  [
    "a route that was taken before",
    { path: redirect("once", 302, `http://other${redirect("once", 302, to)}`) },
  ],
];

describe("internal redirects, as Envoy follows them", withEnvoy, () => {
  let both: SideBySide;

  before(async () => {
    const forwards = Object.entries(policies).map(
      ([name, policy]) =>
        `- { name: ${name}, match: { prefix: /${name} }, route: { cluster: upstream, internal_redirect_policy: { ${policy} } } }`,
    );
    both = await startSideBySide({
      filters: "",
      routes: [
        "- { name: to, match: { prefix: /to }, route: { cluster: upstream } }",
        "- { name: direct, match: { prefix: /direct }, direct_response: { status: 418 } }",
        ...forwards,
      ].join("\n"),
      log: "%REQ(:METHOD)% %REQ(:AUTHORITY)%%REQ(:PATH)% %RESPONSE_CODE% %RESPONSE_FLAGS% %RESPONSE_CODE_DETAILS% %BYTES_RECEIVED% %BYTES_SENT% %RESP(LOCATION)%",
      upstream(request, body, answer) {
        const asked = /^\/[a-z]+\/(\d+)\/(.*)$/.exec(request.url ?? "");
        if (asked) {
          const location = decodeURIComponent(asked[2]!);
          const fields: Record<string, string> = location === "" ? {} : { location };
          answer(
            Number(asked[1]),
            { ...fields, "x-copy": "copied" },
            location.includes("body") ? "moved" : "",
          );
          return;
        }
        const { host, "content-length": length, "x-copy": copied, "x-none": none } = request.headers;
        const seen = {
          method: request.method,
          url: request.url,
          host,
          length,
          copied,
          none,
          original: request.headers["x-envoy-original-url"],
          body: body.toString(),
        };
        answer(200, {}, JSON.stringify(seen));
      },
    });
  });

  after(() => both?.close());

  for (const [what, sent] of cases) {
    it(what, async () => {
      const { envoy, weft } = await both.ask(sent);
      assert.deepEqual(weft, envoy);
    });
  }

  it("with the same lines in the access log and the same statistics", async () => {
    const { envoy, weft } = await both.logged(cases.length + 14);
    assert.deepEqual(weft, envoy);
    const counts = await both.stats(
      /_internal_redirect_|http\.test\.downstream_rq_(total|completed|.xx|active):/,
    );
    const own = (line: string) => !line.startsWith("http.async-client") && !line.includes("listener.");
    assert.deepEqual(counts.weft.filter(own), counts.envoy.filter(own));
  });
});
