/**
 * The steps that make the database what this version needs, in order. A step
 * that was released never changes; what comes later is a new one.
 */
export const migrations: readonly string[] = [
  `
  CREATE TABLE settings (
    name TEXT PRIMARY KEY,
    value TEXT NOT NULL
  ) STRICT;

  CREATE TABLE revisions (
    revision INTEGER PRIMARY KEY,
    at_ms INTEGER NOT NULL,
    author TEXT NOT NULL
  ) STRICT;

  CREATE TABLE resource_versions (
    kind TEXT NOT NULL,
    namespace TEXT NOT NULL,
    name TEXT NOT NULL,
    version INTEGER NOT NULL,
    revision INTEGER NOT NULL REFERENCES revisions (revision),
    action TEXT NOT NULL CHECK (action IN ('created', 'changed', 'deleted')),
    api_version TEXT NOT NULL,
    text TEXT NOT NULL,
    file TEXT NOT NULL,
    line INTEGER NOT NULL,
    is_latest INTEGER NOT NULL,
    PRIMARY KEY (kind, namespace, name, version)
  ) STRICT;
  CREATE UNIQUE INDEX resource_latest ON resource_versions (kind, namespace, name) WHERE is_latest = 1;
  CREATE INDEX resource_revision ON resource_versions (revision);

  CREATE TABLE roots (
    id INTEGER PRIMARY KEY,
    certificate_pem TEXT NOT NULL,
    private_key_pem TEXT NOT NULL,
    created_at_ms INTEGER NOT NULL
  ) STRICT;

  CREATE TABLE tokens (
    id TEXT PRIMARY KEY,
    hash BLOB NOT NULL,
    identity TEXT NOT NULL,
    max_uses INTEGER NOT NULL,
    created_at_ms INTEGER NOT NULL,
    expires_at_ms INTEGER NOT NULL,
    revoked_at_ms INTEGER
  ) STRICT;
  CREATE TABLE token_uses (
    token_id TEXT NOT NULL REFERENCES tokens (id) ON DELETE CASCADE,
    key_hash BLOB NOT NULL,
    at_ms INTEGER NOT NULL,
    PRIMARY KEY (token_id, key_hash)
  ) STRICT;

  CREATE TABLE audit (
    id INTEGER PRIMARY KEY,
    at_ms INTEGER NOT NULL,
    event TEXT NOT NULL,
    subject TEXT NOT NULL,
    authorized_by TEXT NOT NULL,
    address TEXT NOT NULL,
    serial TEXT,
    key_hash TEXT,
    expires_at_ms INTEGER
  ) STRICT;
  CREATE INDEX audit_expiry ON audit (event, expires_at_ms);
  CREATE TRIGGER audit_no_update BEFORE UPDATE ON audit BEGIN
    SELECT RAISE(ABORT, 'the audit log is append-only');
  END;
  CREATE TRIGGER audit_no_delete BEFORE DELETE ON audit BEGIN
    SELECT RAISE(ABORT, 'the audit log is append-only');
  END;

  CREATE TABLE virtual_addresses (
    hostname TEXT PRIMARY KEY,
    address TEXT NOT NULL UNIQUE
  ) STRICT;
  `,
  // A root says what it is for. Its key is "" when it is kept elsewhere or was destroyed.
  `
  ALTER TABLE roots ADD COLUMN state TEXT NOT NULL DEFAULT 'trusted'
    CHECK (state IN ('waiting', 'trusted', 'issuing', 'suspect', 'retired', 'distrusted'));
  ALTER TABLE roots ADD COLUMN cross_pem TEXT NOT NULL DEFAULT '';
  UPDATE roots SET state = 'issuing' WHERE id = (SELECT max(id) FROM roots);

  CREATE TABLE intermediates (
    certificate_pem TEXT PRIMARY KEY,
    seen_at_ms INTEGER NOT NULL
  ) STRICT;

  CREATE TABLE rotations (
    id INTEGER PRIMARY KEY,
    from_pem TEXT NOT NULL,
    to_pem TEXT NOT NULL,
    is_forced INTEGER NOT NULL
  ) STRICT;
  CREATE TABLE rotation_steps (
    rotation_id INTEGER NOT NULL REFERENCES rotations (id),
    phase TEXT NOT NULL,
    at_ms INTEGER NOT NULL,
    PRIMARY KEY (rotation_id, phase)
  ) STRICT;
  CREATE INDEX audit_serial ON audit (serial);
  `,
  `
  CREATE TABLE jwt_keys (
    id TEXT PRIMARY KEY,
    private_key_pem TEXT NOT NULL,
    begins_at_ms INTEGER NOT NULL,
    ends_at_ms INTEGER NOT NULL
  ) STRICT;
  `,
  // What is archived may leave the audit log, and nothing else.
  `
  CREATE TABLE revocations (
    kind TEXT NOT NULL CHECK (kind IN ('serial', 'identity')),
    value TEXT NOT NULL,
    at_ms INTEGER NOT NULL,
    until_ms INTEGER NOT NULL,
    PRIMARY KEY (kind, value)
  ) STRICT;
  CREATE TABLE audit_archives (
    last_id INTEGER PRIMARY KEY,
    file TEXT NOT NULL,
    issued INTEGER NOT NULL
  ) STRICT;
  DROP TRIGGER audit_no_delete;
  CREATE TRIGGER audit_no_delete BEFORE DELETE ON audit
    WHEN OLD.id > coalesce((SELECT max(last_id) FROM audit_archives), 0)
  BEGIN
    SELECT RAISE(ABORT, 'the audit log is append-only');
  END;
  `,
  // What a rollout is and does, as JSON; `service` is namespace/name.
  `
  CREATE TABLE rollouts (
    id INTEGER PRIMARY KEY,
    service TEXT NOT NULL,
    is_over INTEGER NOT NULL,
    body TEXT NOT NULL
  ) STRICT;
  `,
  // What is known of each Canary, as JSON; `key` is kind/namespace/name.
  `
  CREATE TABLE canaries (
    key TEXT PRIMARY KEY,
    body TEXT NOT NULL
  ) STRICT;
  `,
  // Each entry of the audit log holds what became of it, and a hash of itself and of the one before.
  `
  ALTER TABLE audit ADD COLUMN outcome TEXT NOT NULL DEFAULT 'done';
  ALTER TABLE audit ADD COLUMN revision INTEGER;
  ALTER TABLE audit ADD COLUMN hash TEXT NOT NULL DEFAULT '';
  ALTER TABLE audit_archives ADD COLUMN last_hash TEXT NOT NULL DEFAULT '';
  `,
  `
  CREATE TABLE federated_bundles (
    trust_domain TEXT PRIMARY KEY,
    document TEXT NOT NULL,
    fetched_at_ms INTEGER NOT NULL,
    changed_at_ms INTEGER NOT NULL,
    origin TEXT NOT NULL
  ) STRICT;
  `,
  // An identity may be a gateway once it has joined by a token that says so.
  `
  ALTER TABLE tokens ADD COLUMN is_gateway INTEGER NOT NULL DEFAULT 0;
  CREATE TABLE gateway_identities (identity TEXT PRIMARY KEY) STRICT;
  `,
];
