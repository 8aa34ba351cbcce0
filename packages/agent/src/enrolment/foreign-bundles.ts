import { readFileSync } from "node:fs";
import { messageOf } from "@weft/base/errors";
import { writePrivateFileSync } from "@weft/base/private-file";
import { type BundleMap, parseBundleMap } from "@weft/identity/spiffe-bundle";

/**
 * What identities of other trust domains are verified with, as the control plane
 * said it last, also before it is there again after a restart.
 */
export class ForeignBundles {
  readonly #path: string;
  readonly #talk: (line: string) => void;
  readonly #listeners = new Set<(map: BundleMap) => void>();
  #text = "";
  #map: BundleMap = { bundles: [], aliases: [] };

  /** @param path of the file it is kept in, its owner's alone */
  constructor(path: string, talk: (line: string) => void) {
    this.#path = path;
    this.#talk = talk;
    try {
      const text = readFileSync(path, "utf8");
      this.#map = parseBundleMap(text);
      this.#text = text;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return;
      talk(`the bundles kept in ${path} are not used: ${messageOf(error)}`);
    }
  }

  /** @throws SpiffeBundleError: what was said before holds on */
  set(text: string): void {
    if (text === this.#text) return;
    this.#map = parseBundleMap(text);
    this.#text = text;
    try {
      writePrivateFileSync(this.#path, text);
    } catch (error) {
      this.#talk(`the bundles of other trust domains cannot be kept in ${this.#path}: ${messageOf(error)}`);
    }
    for (const listener of this.#listeners) listener(this.#map);
  }

  /** Calls `listener` with what is known, and with each change. */
  onChange(listener: (map: BundleMap) => void): void {
    this.#listeners.add(listener);
    if (this.#text !== "") listener(this.#map);
  }
}
