-- A tenant store: what belongs to an organisation. Many organisations may share one, so every key
-- begins with `org_id`.

CREATE TABLE settings (
    org_id uuid PRIMARY KEY,
    name text NOT NULL,
    slug text NOT NULL,
    plan text NOT NULL,
    -- The plan's seats when it was chosen; null is no limit.
    seats bigint CHECK (seats > 0),
    status text NOT NULL CHECK (status IN ('ACTIVE', 'SUSPENDED')),
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL
);

CREATE TABLE users (
    org_id uuid NOT NULL REFERENCES settings (org_id) ON DELETE CASCADE,
    id uuid NOT NULL,
    account_id uuid NOT NULL,
    email text NOT NULL,
    name text NOT NULL,
    role text NOT NULL CHECK (role IN ('ADMIN', 'MEMBER')),
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (org_id, id),
    UNIQUE (org_id, account_id),
    UNIQUE (org_id, email)
);

CREATE TABLE sessions (
    org_id uuid NOT NULL,
    id uuid NOT NULL,
    user_id uuid NOT NULL,
    -- The account's password version when the session began.
    password_version bigint NOT NULL,
    -- The hash of the refresh token that counts now, and how many came before it.
    refresh_hash bytea NOT NULL,
    refresh_generation bigint NOT NULL,
    -- The hash of its predecessor, which a client whose answer was lost may use once more for a while.
    previous_hash bytea,
    rotated_at timestamptz NOT NULL,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    ended_at timestamptz,
    ip text,
    user_agent text,
    PRIMARY KEY (org_id, id),
    FOREIGN KEY (org_id, user_id) REFERENCES users (org_id, id) ON DELETE CASCADE
);

CREATE INDEX idx_sessions_org_id_user_id ON sessions (org_id, user_id);
CREATE INDEX idx_sessions_org_id_ended_at ON sessions (org_id, ended_at);

CREATE TABLE invites (
    org_id uuid NOT NULL REFERENCES settings (org_id) ON DELETE CASCADE,
    id uuid NOT NULL,
    email text NOT NULL,
    name text,
    role text NOT NULL CHECK (role IN ('ADMIN', 'MEMBER')),
    token_hash bytea NOT NULL,
    invited_by uuid NOT NULL,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    accepted_at timestamptz,
    revoked_at timestamptz,
    PRIMARY KEY (org_id, id)
);

CREATE UNIQUE INDEX idx_invites_org_id_email_pending ON invites (org_id, email)
    WHERE accepted_at IS NULL AND revoked_at IS NULL;

-- Where each log stands. A transaction that appends locks this row, so `seq` equals commit order.
CREATE TABLE activity_heads (
    org_id uuid PRIMARY KEY REFERENCES settings (org_id) ON DELETE CASCADE,
    epoch uuid NOT NULL,
    first_seq bigint NOT NULL CHECK (first_seq > 0),
    last_seq bigint NOT NULL CHECK (last_seq >= 0),
    last_id uuid,
    last_at timestamptz NOT NULL
);

CREATE TABLE activities (
    org_id uuid NOT NULL REFERENCES activity_heads (org_id) ON DELETE CASCADE,
    seq bigint NOT NULL CHECK (seq > 0),
    id uuid NOT NULL,
    type text NOT NULL,
    audience_kind text NOT NULL CHECK (audience_kind IN ('EVERYONE', 'ADMINS', 'ADMINS_AND', 'USERS')),
    audience_id uuid,
    actor_id uuid,
    actor_name text,
    target_id uuid,
    target_name text,
    -- The exact bytes that are sent, so that a replayed frame equals the live one.
    payload text NOT NULL,
    ip text,
    user_agent text,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (org_id, seq),
    CHECK ((audience_id IS NOT NULL) = (audience_kind = 'ADMINS_AND')),
    CHECK ((actor_id IS NULL) = (actor_name IS NULL)),
    CHECK ((target_id IS NULL) = (target_name IS NULL))
);

CREATE INDEX idx_activities_org_id_type_seq ON activities (org_id, type, seq);
CREATE INDEX idx_activities_org_id_actor_id_seq ON activities (org_id, actor_id, seq);

-- To whom an activity with the audience `USERS` is addressed.
CREATE TABLE activity_recipients (
    org_id uuid NOT NULL,
    user_id uuid NOT NULL,
    seq bigint NOT NULL,
    PRIMARY KEY (org_id, user_id, seq),
    FOREIGN KEY (org_id, seq) REFERENCES activities (org_id, seq) ON DELETE CASCADE
);

CREATE INDEX idx_activity_recipients_org_id_seq ON activity_recipients (org_id, seq);
