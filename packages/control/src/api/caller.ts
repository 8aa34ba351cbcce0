import type { Role } from "./role.ts";

/** Who asks, how that was proven, and what it allows. */
export interface Caller {
  /** A SPIFFE ID, a subject's name, or `local`. */
  readonly name: string;
  /** `socket`: by permission of the file; `session`: a browser that came by a one-time address. */
  readonly proof: "socket" | "certificate" | "token" | "session";
  readonly role: Role;
  /** "" for this machine's own. */
  readonly address: string;
}

/** Whoever may open the Unix socket. */
export const localOperator: Caller = { name: "local", proof: "socket", role: "admin", address: "" };

/** As revisions and the audit log have it: `local`, `alice@example.com (token)`. */
export function describeCaller({ name, proof }: Pick<Caller, "name" | "proof">): string {
  return proof === "socket" ? name : `${name} (${proof})`;
}

/** As the audit log has who allowed something, and from where. */
export function actorOf(caller: Caller): { readonly authorizedBy: string; readonly address: string } {
  return { authorizedBy: `operator ${describeCaller(caller)}`, address: caller.address };
}
