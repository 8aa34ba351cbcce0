import { defineConfig } from "vite";

/** Relative addresses, so that the application works below any path. */
export default defineConfig({
  root: import.meta.dirname,
  base: "./",
  oxc: { jsx: { runtime: "automatic", importSource: "preact" } },
  build: { target: "es2023", modulePreload: false, assetsInlineLimit: 0 },
});
