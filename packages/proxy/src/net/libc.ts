import { createRequire } from "node:module";

const require = createRequire(import.meta.url);
let library: ReturnType<typeof import("koffi").load> | undefined;

/**
 * A function of the C library by its declaration. Whoever never asks for one
 * does not load the foreign-function interface.
 *
 * @throws when this C library has no such function (musl has no `malloc_trim`)
 */
export function libcFunction(declaration: string): (...args: never[]) => unknown {
  library ??= (require("koffi") as typeof import("koffi")).load(null);
  return library.func(declaration);
}
