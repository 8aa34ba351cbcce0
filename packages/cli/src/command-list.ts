import type { Command } from "commander";

/** One command of `weft`: what the overview says, and where its file is. */
export interface CommandEntry {
  readonly name: string;
  readonly summary: string;
  readonly load: () => Promise<{ readonly command: () => Command }>;
}

/** In the order of the overview: running a mesh, configuring it, looking at it. */
export const commandList: readonly CommandEntry[] = [
  {
    name: "demo",
    summary: "the whole mesh on this machine, with real services and traffic",
    load: () => import("./commands/demo.ts"),
  },
  {
    name: "control-plane",
    summary: "run the control plane: configuration, certificates, xDS",
    load: () => import("./commands/control-plane.ts"),
  },
  {
    name: "run",
    summary: "run a program as a workload of the mesh",
    load: () => import("./commands/run.ts"),
  },
  {
    name: "proxy",
    summary: "run a sidecar on an Envoy bootstrap file",
    load: () => import("./commands/proxy-help.ts"),
  },
  {
    name: "token",
    summary: "create, list and revoke join tokens",
    load: () => import("./commands/token.ts"),
  },
  {
    name: "federation",
    summary: "trust the identities of other trust domains",
    load: () => import("./commands/federation.ts"),
  },
  { name: "ca", summary: "show the certificate authority", load: () => import("./commands/ca.ts") },
  {
    name: "audit",
    summary: "who did what, what was refused, and proof of it",
    load: () => import("./commands/audit.ts"),
  },
  {
    name: "apply",
    summary: "apply Istio and Gateway API YAML, all of it or nothing",
    load: () => import("./commands/apply.ts"),
  },
  { name: "diff", summary: "show what an apply would change", load: () => import("./commands/diff.ts") },
  {
    name: "history",
    summary: "who changed what, and when",
    load: () => import("./commands/history.ts"),
  },
  {
    name: "rollback",
    summary: "go back to an earlier revision",
    load: () => import("./commands/rollback.ts"),
  },
  {
    name: "rollout",
    summary: "shift calls to a new version step by step",
    load: () => import("./commands/rollout.ts"),
  },
  { name: "get", summary: "show applied resources", load: () => import("./commands/get.ts") },
  { name: "delete", summary: "delete applied resources", load: () => import("./commands/delete.ts") },
  {
    name: "status",
    summary: "show every proxy and whether it is in sync",
    load: () => import("./commands/status.ts"),
  },
  {
    name: "proxy-config",
    summary: "show what a proxy is given, and where it was written",
    load: () => import("./commands/proxy-config.ts"),
  },
  {
    name: "analyze",
    summary: "find what is wrong or questionable in configuration",
    load: () => import("./commands/analyze.ts"),
  },
  {
    name: "authz",
    summary: "who may call whom, by the proxies' own engine",
    load: () => import("./commands/authz.ts"),
  },
  {
    name: "test",
    summary: "test what calls come to, without running a mesh",
    load: () => import("./commands/test.ts"),
  },
  {
    name: "replay",
    summary: "say which recorded calls a change would treat otherwise",
    load: () => import("./commands/replay.ts"),
  },
  {
    name: "explain",
    summary: "say what a call would do, and why",
    load: () => import("./commands/explain.ts"),
  },
  {
    name: "stat",
    summary: "golden signals: success, requests per second, latency",
    load: () => import("./commands/stat.ts"),
  },
  {
    name: "edges",
    summary: "who talks to whom, as whom, and whether it is secured",
    load: () => import("./commands/edges.ts"),
  },
  {
    name: "top",
    summary: "the calls of this moment, sorted, live",
    load: () => import("./commands/top.ts"),
  },
  {
    name: "tap",
    summary: "requests as they happen, one line for each part of each",
    load: () => import("./commands/tap.ts"),
  },
  {
    name: "logs",
    summary: "what data planes logged of requests, and what they log now",
    load: () => import("./commands/logs.ts"),
  },
  {
    name: "dashboard",
    summary: "open the dashboard of the mesh in a browser",
    load: () => import("./commands/dashboard.ts"),
  },
  {
    name: "context",
    summary: "keep control planes by name, and choose one",
    load: () => import("./commands/context.ts"),
  },
  {
    name: "check",
    summary: "find out what is missing or unwell, and what to do",
    load: () => import("./commands/check.ts"),
  },
  { name: "version", summary: "show the version", load: () => import("./commands/version.ts") },
];
