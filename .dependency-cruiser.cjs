/** Imports point one way: base <- identity <- xds <- proxy | control <- agent <- cli. */
const only = (from, allowed) => ({
  name: `${from}-imports`,
  comment: `packages/${from} may import ${allowed.join(", ") || "no other package of Weft"}`,
  severity: "error",
  from: { path: `^packages/${from}/src`, pathNot: "\\.test\\.ts$" },
  to: { path: "^packages/", pathNot: [from, ...allowed].map((name) => `^packages/${name}/`) },
});

module.exports = {
  forbidden: [
    only("base", []),
    only("identity", ["base"]),
    only("xds", ["base"]),
    only("proxy", ["base", "xds"]),
    only("control", ["base", "identity", "xds"]),
    only("agent", ["base", "identity", "xds", "proxy"]),
    only("testkit", ["base", "identity", "xds"]),
    {
      name: "no-cycles",
      severity: "error",
      from: { path: "^packages" },
      to: { circular: true, viaOnly: { dependencyTypesNot: ["type-only"] } },
    },
    {
      name: "model-and-translate-are-pure",
      severity: "error",
      from: { path: "^packages/control/src/(model|translate)", pathNot: "\\.test\\.ts$" },
      to: { dependencyTypes: ["core"], pathNot: "^(node:)?(crypto|net)$" },
    },
    {
      name: "only-config-decodes-protobuf",
      severity: "error",
      from: {
        path: "^packages/proxy/src/",
        pathNot: "^packages/proxy/src/(config|admin)|\\.test\\.ts$|main\\.ts$",
      },
      to: { path: "^(packages/xds/src/gen|node_modules/@bufbuild)" },
    },
  ],
  options: {
    doNotFollow: { path: ["node_modules", "packages/xds/src/gen"] },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: "tsconfig.json" },
    enhancedResolveOptions: { exportsFields: ["exports"], conditionNames: ["import", "node", "default"] },
  },
};
