-- How the first admin of an organisation that the platform founded gets in.
CREATE TABLE sign_ups (
    org_id blob NOT NULL REFERENCES settings (org_id) ON DELETE CASCADE,
    id blob NOT NULL,
    token_hash blob NOT NULL,
    -- Which of the platform's administrators gave it out.
    administrator_id blob NOT NULL,
    created_at integer NOT NULL,
    expires_at integer NOT NULL,
    used_at integer,
    revoked_at integer,
    PRIMARY KEY (org_id, id)
) STRICT;

CREATE UNIQUE INDEX idx_sign_ups_org_id_open ON sign_ups (org_id) WHERE used_at IS NULL AND revoked_at IS NULL;

-- Since when the organisation is suspended. It changes with the status of its settings, in one transaction, and
-- stands here too because who appends has this row locked in any case: what is suspended takes nothing more.
ALTER TABLE activity_heads ADD COLUMN suspended_at integer;
