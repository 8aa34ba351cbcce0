import type { Plugin } from "esbuild";

/** Builtins whose exports include getters that load something large when read. */
const builtins = ["node:crypto", "node:http", "node:http2", "node:tls"] as const;

/**
 * Lets the bundle import builtins without paying for what it does not use.
 *
 * An `import` of a builtin reads every one of its exports, and some are getters:
 * `node:http` loads a whole WebSocket and fetch client, `node:tls` parses 150
 * root certificates. That is 8 MB of memory in every sidecar. In the bundle such
 * an import reads only plain exports; what is behind a getter cannot be imported
 * by name, which the build then says.
 */
export const builtinsWithoutGetters: Plugin = {
  name: "builtins-without-getters",
  setup(build) {
    const filter = new RegExp(`^(${builtins.join("|")})$`);
    build.onResolve({ filter }, ({ path }) => ({ path, namespace: "builtin", sideEffects: false }));
    build.onLoad({ filter, namespace: "builtin" }, ({ path }) => ({
      contents: moduleOf(path),
      loader: "js",
    }));
  },
};

function moduleOf(name: string): string {
  const properties = Object.getOwnPropertyDescriptors(process.getBuiltinModule(name) as object);
  const plain = Object.entries(properties).flatMap(([key, { get }]) =>
    get || key === "default" ? [] : [key],
  );
  const lines = plain.map((key) => `export const ${key} = /* @__PURE__ */ read("${key}");`);
  return [
    `const builtin = process.getBuiltinModule("${name}");`,
    "const read = (key) => builtin[key];",
    "export default builtin;",
    ...lines,
  ].join("\n");
}
