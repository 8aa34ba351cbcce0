/** One line of the audit log. The database itself refuses to change it, or to delete it before it is archived. */
export interface AuditEntry {
  readonly atMs: number;
  readonly event:
    | "root created"
    | "root added"
    | "root trusted"
    | "root issues"
    | "root retired"
    | "root distrusted"
    | "rotation forced"
    | "token created"
    | "gateway token created"
    | "token revoked"
    | "certificate revoked"
    | "identity revoked"
    | "bundle accepted"
    | "audit archive deleted"
    | "certificate issued"
    | "JWT-SVID issued"
    | "configuration changed"
    | "operation"
    | "dashboard opened"
    | "refused";
  /** Whom or what it is about: a SPIFFE ID, resources, the operation that was refused. */
  readonly subject: string;
  /** Who was allowed to: `token <id>`, `certificate <SPIFFE ID>`, `operator <name>` or `control plane`. */
  readonly authorizedBy: string;
  /** Where the request came from; "" for this machine's own. */
  readonly address: string;
  /** Of the certificate, the join token or the JWT. */
  readonly serial?: string;
  /** Hexadecimal SHA-256 of the certified key's SubjectPublicKeyInfo. */
  readonly keyHash?: string;
  readonly expiresAtMs?: number;
  /** Why it was refused; absent where it was done. */
  readonly refusal?: string;
  /** Of the configuration, where it was changed. */
  readonly revision?: number;
}
