import type { ConformanceTest } from "./cases.ts";
import type { Expected } from "./expected.ts";

const identity = "spiffe://cluster.local/ns/gateway-conformance-mesh/sa/echo-v1";

/** What the specification says and its tests leave out, held by both data planes alike. */
export const ownTests: readonly ConformanceTest[] = [
  {
    name: "paths are modified as the specification's table has it",
    manifest: new URL("own/path-modifiers.yaml", import.meta.url),
    client: "echo-v1",
    cases: [
      rewritten("/plain/bar", "/xyz/bar"),
      rewritten("/to-slash/bar", "/xyz/bar"),
      rewritten("/from-slash/bar", "/xyz/bar"),
      rewritten("/both/bar", "/xyz/bar"),
      rewritten("/plain", "/xyz"),
      rewritten("/plain/", "/xyz/"),
      rewritten("/to-nothing/bar", "/bar"),
      rewritten("/to-nothing/", "/"),
      rewritten("/to-nothing", "/"),
      rewritten("/to-root/", "/"),
      rewritten("/to-root", "/"),
      rewritten("/to-root/bar?at=/to-root", "/bar?at=/to-root"),
      rewritten("/plain?x=1", "/xyz?x=1"),
      rewritten("/full/bar?x=1", "/a$b?x=1"),
      refused("/plainbar", 404),
      redirected("/redirect/bar", "/bar"),
      redirected("/redirect", "/"),
    ],
  },
  {
    name: "what has no backend is answered with 500, and UNAVAILABLE in gRPC",
    manifest: new URL("own/missing-backends.yaml", import.meta.url),
    client: "echo-v1",
    cases: [
      ...["/nobody", "/no-port", "/no-kind", "/no-weight", "/nothing"].map((path) => refused(path, 500)),
      ...["nobody", "nothing"].map((to) => called({ to }, 14)),
      called({ to: "v2" }, 200),
      { ...called({ to: "elsewhere" }, 12), TestCaseName: "a method that no rule matches is UNIMPLEMENTED" },
    ],
  },
  {
    name: "values are literal, a backend's edits come after the rule's, origins are answered",
    manifest: new URL("own/filters.yaml", import.meta.url),
    client: "echo-v1",
    cases: [
      {
        Request: { Path: "/literal" },
        ExpectedRequest: { Request: { Headers: { "x-set": "100% %REQ(x)%" } } },
        Response: { Headers: { "x-answer": "50%" } },
      },
      {
        Request: { Path: "/both" },
        ExpectedRequest: {
          Request: { Headers: { "x-of-rule": "rule", "x-both": "backend" } },
          AbsentHeaders: ["x-gone"],
        },
      },
      preflight("https://a.b.shop.example", {
        Headers: {
          "access-control-allow-origin": "https://a.b.shop.example",
          "access-control-allow-methods": "GET,HEAD,POST,PUT,DELETE,CONNECT,OPTIONS,TRACE,PATCH",
          "access-control-allow-credentials": "true",
          "access-control-max-age": "60",
        },
      }),
      preflight("https://shop.example", { AbsentHeaders: ["access-control-allow-origin"] }),
    ],
  },
  {
    name: "what a backend's filters say is for its share of the requests",
    manifest: new URL("own/backend-filters.yaml", import.meta.url),
    client: "echo-v1",
    weights: { "echo-v1": 0.7, "echo-v2": 0.3 },
    cases: [
      { Request: { Path: "/split" }, ExpectedRequest: { Request: { Headers: { "x-of-rule": "rule" } } } },
      {
        Request: { Path: "/rewritten/bar" },
        Backend: "echo-v2",
        ExpectedRequest: { Request: { Path: "/backend/bar" } },
        Response: { Headers: { "x-answer": "backend" } },
      },
      redirected("/moved/bar", "/new/bar"),
      preflight("https://a.shop.example", {
        Headers: {
          "access-control-allow-origin": "https://a.shop.example",
          "access-control-allow-methods": "PUT",
        },
      }),
    ],
  },
  {
    name: "somebody else is asked about requests, and what fails lets none through",
    manifest: new URL("own/external-auth.yaml", import.meta.url),
    client: "echo-v1",
    cases: [
      refused("/http", 401),
      {
        Request: { Path: "/http", Headers: { authorization: "letmein" } },
        Backend: "echo-v1",
        ExpectedRequest: {
          Request: { Headers: { "x-allowed": "yes", "x-asked-by": identity } },
          AbsentHeaders: ["content-type", "content-length", "transfer-encoding", "date"],
        },
      },
      { Request: { Path: "/http", Headers: { "x-token": "letmein" } }, Response: { StatusCode: 401 } },
      {
        Request: { Path: "/by-token", Headers: { "x-token": "letmein" } },
        ExpectedRequest: { Request: { Headers: { "x-allowed": "yes" } }, AbsentHeaders: ["x-asked-by"] },
      },
      refused("/grpc", 403),
      { Request: { Path: "/grpc", Headers: { "x-any": "letmein" } }, Backend: "echo-v1" },
      { Request: { Path: "/grpc-by-token", Headers: { "x-any": "letmein" } }, Response: { StatusCode: 403 } },
      { Request: { Path: "/grpc-by-token", Headers: { "x-token": "letmein" } }, Backend: "echo-v1" },
      refused("/moved", 401),
      {
        Request: { Path: "/moved", Headers: { authorization: "letmein" } },
        RedirectRequest: { Path: "/there" },
        Response: { StatusCode: 302 },
      },
      { Request: { Path: "/broken", Headers: { authorization: "letmein" } }, Response: { StatusCode: 403 } },
      refused("/nobody", 500),
    ],
  },
  {
    name: "timeouts end requests and tries, and only what is asked for is tried again",
    manifest: new URL("own/patience.yaml", import.meta.url),
    client: "echo-v1",
    cases: [
      patience("/request", { "x-echo-delay": "5000" }, 504),
      patience("/try", { "x-echo-delay": "5000" }, 504),
      patience("/retry", { "x-echo-fail": "503" }, 200),
    ],
  },
  {
    name: "connections go by a TCPRoute",
    manifest: new URL("own/streams.yaml", import.meta.url),
    client: "echo-v1",
    cases: [
      { Backend: "echo-v2", Request: { Protocol: "tcp", Host: "echo-v1:9090", Path: "" } },
      {
        TestCaseName: "others as before",
        Backend: "echo-v2",
        Request: { Protocol: "tcp", Host: "echo-v2:9090", Path: "" },
      },
    ],
  },
];

function patience(path: string, headers: Readonly<Record<string, string>>, status: number): Expected {
  return { Request: { Path: path, Headers: headers }, Response: { StatusCode: status } };
}

function rewritten(path: string, arrived: string): Expected {
  return { Request: { Path: path }, ExpectedRequest: { Request: { Path: arrived } } };
}

function redirected(path: string, to: string): Expected {
  return { Request: { Path: path }, RedirectRequest: { Path: to }, Response: { StatusCode: 302 } };
}

function refused(path: string, status: number): Expected {
  return { Request: { Path: path }, Response: { StatusCode: status } };
}

function called(headers: Readonly<Record<string, string>>, status: number): Expected {
  const Request = { Host: "echo:7070", Protocol: "grpc", Headers: headers };
  return { Request, Response: { StatusCode: status } };
}

function preflight(origin: string, response: Expected["Response"]): Expected {
  const asked = { origin, "access-control-request-method": "PUT" };
  return {
    Request: { Path: "/cors", Method: "OPTIONS", Headers: asked },
    Response: { StatusCode: 200, ...response },
  };
}
