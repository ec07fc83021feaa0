-- The directory: who exists, and where. The schema `central` itself is made before the migrations run.

CREATE TABLE plans (
    code text PRIMARY KEY,
    name text NOT NULL,
    -- How many members an organisation on this plan may have; null is no limit.
    seats bigint CHECK (seats > 0),
    -- Orders the plans: to a higher rank is an upgrade.
    rank bigint NOT NULL UNIQUE
);

INSERT INTO plans (code, name, seats, rank) VALUES
    ('FREE', 'Free', 3, 1),
    ('PRO', 'Pro', 10, 2),
    ('ENTERPRISE', 'Enterprise', NULL, 3);

CREATE TABLE organisations (
    id uuid PRIMARY KEY,
    name text NOT NULL,
    slug text NOT NULL UNIQUE,
    plan text NOT NULL REFERENCES plans (code),
    status text NOT NULL CHECK (status IN ('ACTIVE', 'SUSPENDED')),
    isolation text NOT NULL CHECK (isolation IN ('SHARED', 'SCHEMA', 'DATABASE')),
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL
);

CREATE TABLE accounts (
    id uuid PRIMARY KEY,
    email text NOT NULL UNIQUE,
    password_hash text NOT NULL,
    -- Counts the passwords that this account has had: a session started under an older one is over.
    password_version bigint NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL
);

CREATE TABLE memberships (
    account_id uuid NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    org_id uuid NOT NULL REFERENCES organisations (id) ON DELETE CASCADE,
    user_id uuid NOT NULL,
    created_at timestamptz NOT NULL,
    -- When the account last started a session here; a sign-in without a choice goes to the latest.
    last_used_at timestamptz NOT NULL,
    PRIMARY KEY (account_id, org_id)
);

CREATE INDEX idx_memberships_org_id ON memberships (org_id);
