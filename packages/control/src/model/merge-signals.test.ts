import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type {
  AccessLoggingSpec,
  MetricsSpec,
  TelemetrySpec,
  TracingSpec,
} from "../config/telemetry-specs.ts";
import { fixture } from "../translate/mesh-fixture.ts";
import { mergeSignals } from "./merge-signals.ts";
import type { MeshDefaults } from "./mesh-options.ts";
import { meshDefaults } from "./options.ts";
import type { TelemetryProvider } from "./signals.ts";

const zipkin = (host: string): TelemetryProvider => ({
  kind: "zipkin",
  host,
  port: 9411,
  maxTagLength: 0,
  path: "/api/v2/spans",
  hasLongIds: true,
  timeoutMs: 5_000,
  headers: [],
});
const file = (path: string): TelemetryProvider => ({ kind: "file", path, format: "x\n", omitsEmpty: false });
const defaults: MeshDefaults = {
  ...meshDefaults,
  accessLog: undefined,
  telemetryProviders: {
    one: file("/one"),
    two: file("/two"),
    first: zipkin("first"),
    second: zipkin("second"),
  },
};

const name = (...names: string[]) => names.map((one) => ({ name: one }));

describe("access logs", () => {
  const logs = (levels: readonly (readonly AccessLoggingSpec[])[], more: Partial<MeshDefaults> = {}) => {
    const specs = levels.map((accessLogging): TelemetrySpec => ({ accessLogging }));
    const { outbound, inbound } = mergeSignals(specs, { ...defaults, ...more });
    const shown = ({ accessLogs }: typeof outbound) =>
      accessLogs.map(({ provider, filter }) =>
        `${provider.kind === "file" ? provider.path : ""} ${filter}`.trim(),
      );
    return [shown(outbound), shown(inbound)];
  };
  const mesh = { accessLog: { path: "/dev/stdout", format: "y\n" } };

  const cases: [what: string, actual: () => string[][], expected: string[][]][] = [
    [
      "are the mesh's own where nobody says otherwise",
      () => logs([], mesh),
      [["/dev/stdout"], ["/dev/stdout"]],
    ],
    ["are none where the mesh has none", () => logs([]), [[], []]],
    [
      "go to the default providers",
      () => logs([], { defaultProviders: { ...defaults.defaultProviders, accessLogging: ["two"] } }),
      [["/two"], ["/two"]],
    ],
    [
      "are the mesh's own under a filter that names no provider",
      () => logs([[{ filter: { expression: "a" } }]], mesh),
      [["/dev/stdout a"], ["/dev/stdout a"]],
    ],
    [
      "go where a level says, in any case of the name",
      () => logs([[{ providers: name("ONE") }]], mesh),
      [["/one"], ["/one"]],
    ],
    [
      "go where the last level that names anyone says",
      () => logs([[{ providers: name("one") }], [{ providers: name("two") }], [{}]]),
      [["/two"], ["/two"]],
    ],
    [
      "are off where a level below says so",
      () => logs([[{ providers: name("one") }], [{ disabled: true }]]),
      [[], []],
    ],
    [
      "are on again below that",
      () => logs([[{ providers: name("one"), disabled: true }], [{ disabled: false }]]),
      [["/one"], ["/one"]],
    ],
    [
      "are off for one side",
      () => logs([[{ providers: name("one", "two") }], [{ match: { mode: "CLIENT" }, disabled: true }]]),
      [[], ["/one", "/two"]],
    ],
    [
      "keep the filter of the level above where that below has none",
      () => logs([[{ providers: name("one"), filter: { expression: "a" } }], [{ disabled: false }]]),
      [["/one a"], ["/one a"]],
    ],
    ["go nowhere where the provider is not there", () => logs([[{ providers: name("three") }]]), [[], []]],
  ];
  for (const [what, actual, expected] of cases) {
    it(what, () => {
      assert.deepEqual(actual(), expected);
    });
  }
});

describe("metrics", () => {
  const merge = (metrics: readonly MetricsSpec[], more: Partial<MeshDefaults> = {}) =>
    mergeSignals([{ metrics }], { ...defaults, ...more });
  const dropped = (metrics: readonly MetricsSpec[]) =>
    merge(metrics).outbound.metrics?.overrides.flatMap(({ metric, isDropped }) =>
      isDropped ? [metric] : [],
    );

  it("are made where nobody says otherwise, and not where no default provider makes them", () => {
    assert.deepEqual(merge([]).inbound.metrics, { reportingMs: undefined, overrides: [] });
    const none = { defaultProviders: { ...defaults.defaultProviders, metrics: [] } };
    assert.equal(merge([], none).inbound.metrics, undefined);
    assert.ok(merge([{ providers: name("prometheus") }], none).inbound.metrics);
    assert.equal(merge([{ providers: name("one") }]).inbound.metrics, undefined);
  });

  it("of one side are off as a whole", () => {
    const off = merge([{ overrides: [{ match: { mode: "SERVER" }, disabled: true }] }]);
    assert.equal(off.inbound.metrics, undefined);
    assert.ok(off.outbound.metrics);
  });

  it("that are all off may be on again one by one", () => {
    const all = { overrides: [{ disabled: true }] };
    const one = { overrides: [{ match: { metric: "REQUEST_COUNT" }, disabled: false }] };
    const left = dropped([all, one]);
    assert.equal(left?.length, 9);
    assert.ok(!left.includes("requests_total"));
  });

  it("have what is said of their labels later over what was said before", () => {
    const [rule] = merge([
      {
        reportingInterval: "10s",
        overrides: [
          {
            match: { metric: "REQUEST_COUNT" },
            tagOverrides: { a: { value: "request.host" }, b: { value: "request.id" } },
          },
        ],
      },
      {
        overrides: [
          {
            match: { customMetric: "requests_total" },
            tagOverrides: { b: { operation: "REMOVE" }, a: { value: "string(destination.port)" } },
          },
        ],
      },
    ]).outbound.metrics!.overrides;
    assert.deepEqual(rule, {
      metric: "requests_total",
      isDropped: false,
      removedTags: ["b"],
      tags: [{ name: "a", expression: "destination.port" }],
    });
  });
});

describe("traces", () => {
  const merge = (...levels: readonly (readonly TracingSpec[])[]) =>
    mergeSignals(
      levels.map((tracing) => ({ tracing })),
      defaults,
    );

  it("are none without a provider, whatever else is said", () => {
    assert.equal(merge([{ randomSamplingPercentage: 100 }]).outbound.tracing, undefined);
    assert.equal(merge([{ providers: name("one") }]).outbound.tracing, undefined);
  });

  it("take each value from the last level that has it, for the side it is for", () => {
    const { outbound, inbound } = merge(
      [
        {
          providers: name("first"),
          randomSamplingPercentage: 10,
          customTags: { a: { literal: { value: "1" } } },
        },
      ],
      [
        {
          match: { mode: "SERVER" },
          providers: name("second"),
          customTags: { b: { literal: { value: "2" } } },
        },
      ],
      [{ useRequestIdForTraceSampling: false, enableIstioTags: false }],
    );
    const shown = ({ tracing }: typeof outbound) => [
      tracing?.provider.host,
      tracing?.samplingPercent,
      tracing?.tags.map(({ name: tag }) => tag).join(),
      tracing?.samplesByRequestId,
      tracing?.hasIstioTags,
    ];
    assert.deepEqual(shown(outbound), ["first", 10, "a", false, false]);
    assert.deepEqual(shown(inbound), ["second", 10, "b", false, false]);
  });

  it("are off where spans are, and sampled by 1 % where nobody says", () => {
    assert.equal(
      merge([{ providers: name("first"), disableSpanReporting: true }]).outbound.tracing,
      undefined,
    );
    assert.equal(merge([{ providers: name("first") }]).outbound.tracing?.samplingPercent, 1);
  });
});

describe("which Telemetry holds", () => {
  const telemetry = (metadata: string, spec: string) =>
    `apiVersion: telemetry.istio.io/v1\nkind: Telemetry\nmetadata: { ${metadata} }\nspec: ${spec}\n`;
  const off = "{ accessLogging: [{ disabled: true }] }";
  const logsOf = (id: string, ...documents: readonly string[]) => {
    const scenario = {
      workloads: [
        { service: "web" },
        { service: "api", namespace: "shop" },
        { service: "root", namespace: "istio-system" },
      ],
      defaults: { accessLog: { path: "/dev/stdout", format: "x\n" } },
    };
    const { mesh, findings } = fixture(scenario, documents.join("---\n"));
    return { off: mesh.workloads.get(id)?.signals?.inbound.accessLogs.length === 0, findings };
  };

  it("is for all of its namespace, or of the mesh in the root namespace", () => {
    assert.equal(logsOf("web-v1.default", telemetry("name: a", off)).off, true);
    assert.equal(logsOf("api-v1.shop", telemetry("name: a", off)).off, false);
    assert.equal(logsOf("api-v1.shop", telemetry("name: a, namespace: istio-system", off)).off, true);
  });

  it("is for what it selects in its own namespace, also in the root namespace", () => {
    const selecting = (namespace: string, app: string) =>
      telemetry(
        `name: s, namespace: ${namespace}`,
        `{ selector: { matchLabels: { app: ${app} } }, accessLogging: [{ disabled: true }] }`,
      );
    assert.equal(logsOf("web-v1.default", selecting("default", "web")).off, true);
    assert.equal(logsOf("web-v1.default", selecting("istio-system", "web")).off, false);
    assert.equal(logsOf("root-v1.istio-system", selecting("istio-system", "root")).off, true);
  });

  it("is the oldest of two for the same, and the other is named", () => {
    const older = telemetry('name: b, creationTimestamp: "2026-01-01T00:00:00Z"', off);
    const newer = telemetry('name: a, creationTimestamp: "2026-02-01T00:00:00Z"', "{}");
    const { off: isOff, findings } = logsOf("web-v1.default", newer, older);
    assert.equal(isOff, true);
    assert.match(
      findings.join("\n"),
      /error W2106: two Telemetries are for all of namespace default: "b" applies, "a" does not/,
    );
  });

  it("is told of providers that are not there, or take something else", () => {
    const spec =
      "{ tracing: [{ providers: [{ name: jaeger }] }], metrics: [{ providers: [{ name: envoy }] }] }";
    const { findings } = logsOf("web-v1.default", telemetry("name: a", spec));
    assert.match(findings.join("\n"), /error W2117: there is no provider jaeger: none are sent/);
    assert.match(findings.join("\n"), /error W2117: provider envoy takes no metrics: none are sent/);
  });
});
