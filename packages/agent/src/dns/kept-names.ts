import { readFileSync } from "node:fs";
import { messageOf } from "@weft/base/errors";
import { writePrivateFile } from "@weft/base/private-file";
import type { MeshName } from "./mesh-names.ts";

/**
 * The name table of the last run, for a start while the control plane is away.
 * A file that cannot be read or is damaged counts as none, and `talk` says why.
 */
export function readKeptNames(path: string, talk: (line: string) => void): readonly MeshName[] | undefined {
  try {
    const names: unknown = JSON.parse(readFileSync(path, "utf8"));
    if (!Array.isArray(names) || !names.every(isMeshName)) throw new Error("it is not a name table");
    return names;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") {
      talk(`the names kept in ${path} are not used: ${messageOf(error)}`);
    }
    return undefined;
  }
}

/** Keeps each name table that comes, the newest last; one that cannot be written is told of. */
export class NameKeeper {
  readonly #path: string;
  readonly #talk: (line: string) => void;
  #next: readonly MeshName[] | undefined;
  #writing: Promise<void> | undefined;

  constructor(path: string, talk: (line: string) => void) {
    this.#path = path;
    this.#talk = talk;
  }

  keep(names: readonly MeshName[]): void {
    this.#next = names;
    this.#writing ??= this.#write();
  }

  /** Resolves when the newest table is on disk. */
  async settled(): Promise<void> {
    await this.#writing;
  }

  async #write(): Promise<void> {
    while (this.#next) {
      const text = JSON.stringify(this.#next);
      this.#next = undefined;
      try {
        await writePrivateFile(this.#path, text);
      } catch (error) {
        this.#talk(`the names of the mesh cannot be kept in ${this.#path}: ${messageOf(error)}`);
      }
    }
    this.#writing = undefined;
  }
}

function isMeshName(value: unknown): value is MeshName {
  if (typeof value !== "object" || value === null) return false;
  const { host, addresses, shortName, namespace } = value as Partial<Record<keyof MeshName, unknown>>;
  return (
    [host, shortName, namespace].every((field) => typeof field === "string") &&
    Array.isArray(addresses) &&
    addresses.every((address) => typeof address === "string")
  );
}
