-- What was answered to requests with an `Idempotency-Key`. A row is written with the effect that it is
-- about, and counts until it expires.
CREATE TABLE idempotency_keys (
    org_id uuid NOT NULL REFERENCES settings (org_id) ON DELETE CASCADE,
    -- No foreign key: it would have every keyed append wait for whoever removes its sender, and that
    -- waits for the log.
    user_id uuid NOT NULL,
    method text NOT NULL,
    path text NOT NULL,
    key text NOT NULL,
    -- SHA-256 of the body as it was sent.
    request_hash bytea NOT NULL,
    -- The id of what is made outside this transaction, so that whoever comes next makes the same.
    reserved_id uuid,
    -- The answer; null while all there is of it is a reserved id.
    status bigint,
    encoding text CHECK (encoding IN ('PLAIN', 'SEALED')),
    body bytea,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    PRIMARY KEY (org_id, user_id, method, path, key),
    CHECK ((status IS NULL) = (body IS NULL) AND (status IS NULL) = (encoding IS NULL)),
    CHECK (status IS NOT NULL OR reserved_id IS NOT NULL)
);

CREATE INDEX idx_idempotency_keys_org_id_expires_at ON idempotency_keys (org_id, expires_at);
