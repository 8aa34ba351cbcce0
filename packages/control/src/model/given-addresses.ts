import type { Diagnostics } from "@weft/base/diagnostics";
import type { ResourceOf } from "../config/resource.ts";
import type { ServiceSpec } from "../config/service-specs.ts";
import { givenAddresses } from "./service-addresses.ts";

/** Which Service has each address that is written: the first by namespace and name, as of everything that two claim. */
export class GivenAddresses {
  readonly #owners = new Map<string, string>();

  /** The Service as far as its addresses are its own: with one that is another's it has none that are written. */
  claim(hostname: string, { spec, origins }: ResourceOf<"Service">, diagnostics: Diagnostics): ServiceSpec {
    const given = givenAddresses(spec);
    if (given.length === 0) return spec;
    const taken = given.find((address) => this.#owners.has(address));
    if (taken === undefined) {
      for (const address of given) this.#owners.set(address, hostname);
      return spec;
    }
    const message = `${taken} is already the address of ${this.#owners.get(taken)}: ${hostname} gets addresses of the mesh`;
    const hint = "give each Service its own clusterIP, or leave it out";
    diagnostics.error("W2140", origins.at("spec.clusterIP"), message, hint);
    return { ...spec, clusterIP: "", clusterIPs: [] };
  }
}
