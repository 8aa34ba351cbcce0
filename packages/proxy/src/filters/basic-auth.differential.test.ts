import { test } from "node:test";
import { expectSame, type Sent, withEnvoy } from "./side-by-side-fixture.ts";

const type = (name: string) =>
  `"@type": type.googleapis.com/envoy.extensions.filters.http.basic_auth.v3.${name}`;
/** By `htpasswd -sb`: ann has "secret", bob has "a:b". */
const users = (...lines: string[]) => `users: { inline_string: "${lines.join("\\n")}" }`;
const ann = "ann:{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=";
const bob = "bob:{SHA}3OptnM09ILoVSfbZtd3mB0IViII=";

const filter = (more = "") => `
- name: basic
  typed_config: { ${type("BasicAuth")}, ${users(ann, bob)}${more} }
`;
const routes = `
- { match: { prefix: /bob }, route: { cluster: upstream }, typed_per_filter_config: { basic: { ${type("BasicAuthPerRoute")}, ${users(bob)} } } }
- { match: { prefix: /open }, route: { cluster: upstream }, typed_per_filter_config: { basic: { "@type": type.googleapis.com/envoy.config.route.v3.FilterConfig, disabled: true } } }
- { match: { prefix: / }, route: { cluster: upstream } }
`;
const encoded = (text: string) => Buffer.from(text).toString("base64");
const credentials = [
  undefined,
  "",
  "Basic",
  "Basic ",
  "Bearer abc",
  `basic ${encoded("ann:secret")}`,
  `Basic ${encoded("ann:secret")}`,
  `Basic ${encoded("ann:secret").replace(/=+$/, "")}`,
  `Basic  ${encoded("ann:secret")}`,
  `Basic ${encoded("ann:Secret")}`,
  `Basic ${encoded("ann:")}`,
  `Basic ${encoded("ann")}`,
  `Basic ${encoded(":secret")}`,
  `Basic ${encoded("bob:a:b")}`,
  `Basic ${encoded("eve:secret")}`,
  "Basic ***",
];
const ask = (name: string): Sent[] =>
  credentials.flatMap((value) =>
    ["/", "/bob?x=1", "/open"].map((path) => ({
      path,
      ...(value === undefined ? {} : { headers: { [name]: value } }),
    })),
  );
const statistics = ["http.test.basic_auth.allowed", "http.test.basic_auth.denied"];

test("names and passwords are judged as in Envoy", withEnvoy, () =>
  expectSame(
    { filters: filter(", forward_username_header: x-user"), routes },
    ask("authorization"),
    statistics,
  ),
);

test("credentials are read from another field as in Envoy", withEnvoy, () =>
  expectSame({ filters: filter(", authentication_header: X-Auth"), routes }, ask("x-auth"), statistics),
);
