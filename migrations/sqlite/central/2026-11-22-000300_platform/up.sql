-- Who runs the platform, as which sessions, and what they did. No tenant's rows are here.

CREATE TABLE administrators (
    id blob PRIMARY KEY,
    email text NOT NULL UNIQUE,
    name text NOT NULL,
    role text NOT NULL CHECK (role IN ('super_admin', 'support', 'billing')),
    status text NOT NULL CHECK (status IN ('ACTIVE', 'DISABLED')),
    password_hash text NOT NULL,
    -- Counts the passwords: a session started under an older one is over.
    password_version integer NOT NULL,
    created_at integer NOT NULL,
    updated_at integer NOT NULL
) STRICT;

CREATE TABLE administrator_sessions (
    id blob PRIMARY KEY,
    administrator_id blob NOT NULL REFERENCES administrators (id) ON DELETE CASCADE,
    password_version integer NOT NULL,
    -- As in the sessions of members.
    refresh_hash blob NOT NULL,
    refresh_generation integer NOT NULL,
    previous_hash blob,
    rotated_at integer NOT NULL,
    created_at integer NOT NULL,
    expires_at integer NOT NULL,
    ended_at integer,
    ip text,
    user_agent text
) STRICT;

CREATE INDEX idx_administrator_sessions_administrator_id ON administrator_sessions (administrator_id);
CREATE INDEX idx_administrator_sessions_expires_at ON administrator_sessions (expires_at);

-- What was answered to administrators' requests with an `Idempotency-Key`: as `idempotency_keys` of a tenant.
CREATE TABLE administrator_keys (
    administrator_id blob NOT NULL REFERENCES administrators (id) ON DELETE CASCADE,
    method text NOT NULL,
    path text NOT NULL,
    key text NOT NULL,
    request_hash blob NOT NULL,
    reserved_id blob,
    status integer,
    encoding text CHECK (encoding IN ('PLAIN', 'SEALED')),
    body blob,
    created_at integer NOT NULL,
    expires_at integer NOT NULL,
    PRIMARY KEY (administrator_id, method, path, key),
    CHECK ((status IS NULL) = (body IS NULL) AND (status IS NULL) = (encoding IS NULL)),
    CHECK (status IS NOT NULL OR reserved_id IS NOT NULL)
) STRICT;

CREATE INDEX idx_administrator_keys_expires_at ON administrator_keys (expires_at);

-- Every call of the platform's administrators. Without foreign keys: it outlives whom and what it names.
CREATE TABLE platform_audit (
    id blob PRIMARY KEY,
    created_at integer NOT NULL,
    administrator_id blob,
    administrator_email text,
    role text,
    action text NOT NULL,
    org_id blob,
    method text NOT NULL,
    path text NOT NULL,
    -- What it was answered; null where it has only begun.
    status integer,
    code text,
    ip text,
    user_agent text,
    request_id text NOT NULL
) STRICT;

CREATE INDEX idx_platform_audit_created_at ON platform_audit (created_at);
CREATE INDEX idx_platform_audit_org_id_id ON platform_audit (org_id, id);
CREATE INDEX idx_platform_audit_administrator_id_id ON platform_audit (administrator_id, id);

CREATE TRIGGER platform_audit_no_update BEFORE UPDATE ON platform_audit
BEGIN
    SELECT RAISE(ABORT, 'platform_audit is only added to');
END;

-- Until it is 30 days older than the newest: then it may be deleted, by what keeps the table small.
CREATE TRIGGER platform_audit_no_delete BEFORE DELETE ON platform_audit
WHEN OLD.created_at >= (SELECT max(created_at) FROM platform_audit) - 2592000000
BEGIN
    SELECT RAISE(ABORT, 'platform_audit is only added to');
END;
