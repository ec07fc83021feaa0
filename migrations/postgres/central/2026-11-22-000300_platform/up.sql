-- Who runs the platform, as which sessions, and what they did. No tenant's rows are here.

CREATE TABLE administrators (
    id uuid PRIMARY KEY,
    email text NOT NULL UNIQUE,
    name text NOT NULL,
    role text NOT NULL CHECK (role IN ('super_admin', 'support', 'billing')),
    status text NOT NULL CHECK (status IN ('ACTIVE', 'DISABLED')),
    password_hash text NOT NULL,
    -- Counts the passwords: a session started under an older one is over.
    password_version bigint NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL
);

CREATE TABLE administrator_sessions (
    id uuid PRIMARY KEY,
    administrator_id uuid NOT NULL REFERENCES administrators (id) ON DELETE CASCADE,
    password_version bigint NOT NULL,
    -- As in the sessions of members.
    refresh_hash bytea NOT NULL,
    refresh_generation bigint NOT NULL,
    previous_hash bytea,
    rotated_at timestamptz NOT NULL,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    ended_at timestamptz,
    ip text,
    user_agent text
);

CREATE INDEX idx_administrator_sessions_administrator_id ON administrator_sessions (administrator_id);
CREATE INDEX idx_administrator_sessions_expires_at ON administrator_sessions (expires_at);

-- What was answered to administrators' requests with an `Idempotency-Key`: as `idempotency_keys` of a tenant.
CREATE TABLE administrator_keys (
    administrator_id uuid NOT NULL REFERENCES administrators (id) ON DELETE CASCADE,
    method text NOT NULL,
    path text NOT NULL,
    key text NOT NULL,
    request_hash bytea NOT NULL,
    reserved_id uuid,
    status bigint,
    encoding text CHECK (encoding IN ('PLAIN', 'SEALED')),
    body bytea,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    PRIMARY KEY (administrator_id, method, path, key),
    CHECK ((status IS NULL) = (body IS NULL) AND (status IS NULL) = (encoding IS NULL)),
    CHECK (status IS NOT NULL OR reserved_id IS NOT NULL)
);

CREATE INDEX idx_administrator_keys_expires_at ON administrator_keys (expires_at);

-- Every call of the platform's administrators. Without foreign keys: it outlives whom and what it names.
CREATE TABLE platform_audit (
    id uuid PRIMARY KEY,
    created_at timestamptz NOT NULL,
    administrator_id uuid,
    administrator_email text,
    role text,
    action text NOT NULL,
    org_id uuid,
    method text NOT NULL,
    path text NOT NULL,
    -- What it was answered; null where it has only begun.
    status bigint,
    code text,
    ip text,
    user_agent text,
    request_id text NOT NULL
);

CREATE INDEX idx_platform_audit_created_at ON platform_audit (created_at);
CREATE INDEX idx_platform_audit_org_id_id ON platform_audit (org_id, id);
CREATE INDEX idx_platform_audit_administrator_id_id ON platform_audit (administrator_id, id);

-- An entry stands, until it is 30 days older than the newest: then it may be deleted, by what keeps the table small.
CREATE FUNCTION refuse_audit_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' AND OLD.created_at < (SELECT max(created_at) FROM platform_audit) - interval '30 days' THEN
        RETURN OLD;
    END IF;
    RAISE EXCEPTION 'platform_audit is only added to';
END
$$;

CREATE TRIGGER platform_audit_append_only BEFORE UPDATE OR DELETE ON platform_audit
    FOR EACH ROW EXECUTE FUNCTION refuse_audit_change();
