import type { EndpointAssignment } from "../cluster/cluster-plan.ts";
import type { RouteHolder } from "./decode-context.ts";
import type { WrittenMessage } from "./written-message.ts";

/** One resource of a response. */
export interface IncomingResource {
  readonly name: string;
  readonly version: string;
  readonly body: Uint8Array;
  /** Of a virtual host: other names that it was asked for by. */
  readonly aliases?: readonly string[];
}

interface Stamped {
  readonly written: WrittenMessage;
  readonly version: string;
  readonly updatedMs: number;
}

/** A route configuration with its holder, which listeners keep a reference to. */
export interface HeldRoutes extends Stamped {
  readonly holder: RouteHolder;
  /** Of what it was made from: what is sent again unchanged changes nothing. */
  readonly fingerprint: string;
}

/** Endpoints as EDS gave them. */
export interface HeldEndpoints extends Stamped {
  readonly assignment: EndpointAssignment;
}
