import type { Provenance } from "../model/provenance.ts";
import type { CapabilityName } from "./capabilities.ts";

/** Something that the mesh asks of a data plane. */
export interface Asked {
  readonly capability: CapabilityName;
  /** The host that is called, or the workload that serves. */
  readonly where: string;
  /** Undefined: nobody wrote it, or it is not known where. */
  readonly source: Provenance | undefined;
}
