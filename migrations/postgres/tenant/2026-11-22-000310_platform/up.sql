-- How the first admin of an organisation that the platform founded gets in.
CREATE TABLE sign_ups (
    org_id uuid NOT NULL REFERENCES settings (org_id) ON DELETE CASCADE,
    id uuid NOT NULL,
    token_hash bytea NOT NULL,
    -- Which of the platform's administrators gave it out.
    administrator_id uuid NOT NULL,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    used_at timestamptz,
    revoked_at timestamptz,
    PRIMARY KEY (org_id, id)
);

CREATE UNIQUE INDEX idx_sign_ups_org_id_open ON sign_ups (org_id) WHERE used_at IS NULL AND revoked_at IS NULL;

ALTER TABLE sign_ups ENABLE ROW LEVEL SECURITY;
ALTER TABLE sign_ups FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON sign_ups
    USING (org_id = ANY ((SELECT current_setting('roomcast.orgs', true)::uuid[])::uuid[]))
    WITH CHECK (org_id = ANY ((SELECT current_setting('roomcast.orgs', true)::uuid[])::uuid[]));

-- Since when the organisation is suspended. It changes with the status of its settings, in one transaction, and
-- stands here too because who appends has this row locked in any case: what is suspended takes nothing more.
ALTER TABLE activity_heads ADD COLUMN suspended_at timestamptz;
