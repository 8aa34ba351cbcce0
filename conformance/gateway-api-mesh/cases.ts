import { readFileSync } from "node:fs";
import type { EchoName } from "./echo-mesh.ts";
import type { Expected } from "./expected.ts";
import { testdata } from "./testdata.ts";

/** One conformance test: what is applied, who calls, and what must come of it. */
export interface ConformanceTest {
  readonly name: string;
  /** Undefined: nothing is applied. */
  readonly manifest: URL | undefined;
  readonly client: EchoName;
  readonly cases: readonly Expected[];
  /** Shares of the answers by backend; the cases are then of one request. */
  readonly weights?: Readonly<Record<string, number>>;
}

interface Entry {
  readonly file: string;
  readonly in: string;
  readonly line: number;
  readonly value: unknown;
}

/** Manifests that do not have their test's name. */
const manifests: Readonly<Record<string, string | undefined>> = {
  "mesh-basic.go": undefined,
  "mesh-frontend-hostname.go": "mesh-frontend.yaml",
};
const weights = { "echo-v1": 0.7, "echo-v2": 0.3 };

/** What stood in the Go test as a table of its own. */
const grpcHeaders: readonly Expected[] = [
  grpcCase("echo-v1", "set", {
    sent: {
      "some-other-header": "this-header-should-be-set",
      "x-header-set": "this-value-should-be-overwritten",
    },
    got: { "some-other-header": "this-header-should-be-set", "x-header-set": "set-overwrites-values" },
  }),
  grpcCase("echo-v1", "add", {
    sent: { "x-header-add": "this-value-should-be-appended" },
    got: { "x-header-add": "this-value-should-be-appended,add-appends-values" },
  }),
  grpcCase("echo-v1", "remove", {
    sent: { "x-header-remove": "this-should-be-removed" },
    absent: ["x-header-remove"],
  }),
  grpcCase("echo-v2", "multi", {
    sent: {
      "x-header-set-2": "set-header-2",
      "x-header-add-2": "add-header-2",
      "x-header-remove-2": "should-be-removed-2",
    },
    got: {
      "x-header-set-1": "header-set-1",
      "x-header-set-2": "header-set-2",
      "x-header-add-1": "header-add-1",
      "x-header-add-2": "add-header-2,header-add-2",
    },
    absent: ["x-header-remove-1", "x-header-remove-2"],
  }),
];

function grpcCase(
  backend: string,
  test: string,
  headers: {
    readonly sent: Readonly<Record<string, string>>;
    readonly got?: Readonly<Record<string, string>>;
    readonly absent?: readonly string[];
  },
): Expected {
  const own = { "x-test-case": test };
  return {
    TestCaseName: `x-test-case: ${test}`,
    Backend: backend,
    Request: { Host: "echo:7070", Protocol: "grpc", Headers: { ...own, ...headers.sent } },
    ExpectedRequest: { Request: { Headers: { ...own, ...headers.got } }, AbsentHeaders: headers.absent },
  };
}

/** Every test of `expected-mesh.json`. @param podAddress where the workload of echo-v2 is */
export function conformanceTests(podAddress: string): readonly ConformanceTest[] {
  const text = readFileSync(new URL("expected-mesh.json", testdata), "utf8");
  const tests = (JSON.parse(text) as readonly Entry[]).map((entry): ConformanceTest => {
    const { file, line } = entry;
    const name = file.replace(/\.go$/, "");
    const written = Object.hasOwn(manifests, file) ? manifests[file] : `${name}.yaml`;
    const isConsumer = file === "mesh-consumer-route.go" && line === 44;
    const isWeighted = name.endsWith("-weight");
    const isGrpcTable = file === "grpcroute-request-header-modifier.go";
    return {
      name: `${entry.in} (line ${line})`,
      manifest: written === undefined ? undefined : manifestOf(written),
      client: isConsumer ? "consumer" : "echo-v1",
      cases: isGrpcTable ? grpcHeaders : casesOf(entry, podAddress),
      ...(isWeighted ? { weights } : {}),
    };
  });
  const perBackend = tests.find(({ name }) => name.startsWith("MeshHTTPRouteRequestHeaderModifier "))!;
  const manifest = manifestOf("httproute-request-header-modifier-backend.yaml");
  return [...tests, { ...perBackend, name: "MeshHTTPRouteBackendRequestHeaderModifier", manifest }];
}

function manifestOf(file: string): URL {
  return new URL(`tests/${file}`, testdata);
}

function casesOf({ file, value }: Entry, podAddress: string): Expected[] {
  const cases = (Array.isArray(value) ? value : [value]) as Expected[];
  return cases.map((one) => {
    const host: unknown = one.Request.Host;
    // Of all expressions the only one: the address of a pod.
    const isPod = typeof host === "object" && host !== null && "$go" in host;
    const request = isPod ? { ...one.Request, Host: `${podAddress}:8080` } : one.Request;
    // Written there as "/named" for "/unnamed", and looked at by nobody.
    const { ExpectedRequest, ...rest } = one;
    return file === "httproute-named-rule.go"
      ? { ...rest, Request: request }
      : { ...rest, Request: request, ExpectedRequest };
  });
}
