-- The directory: who exists, and where.

CREATE TABLE plans (
    code text PRIMARY KEY,
    name text NOT NULL,
    -- How many members an organisation on this plan may have; null is no limit.
    seats integer CHECK (seats > 0),
    -- Orders the plans: to a higher rank is an upgrade.
    rank integer NOT NULL UNIQUE
) STRICT;

INSERT INTO plans (code, name, seats, rank) VALUES
    ('FREE', 'Free', 3, 1),
    ('PRO', 'Pro', 10, 2),
    ('ENTERPRISE', 'Enterprise', NULL, 3);

CREATE TABLE organisations (
    id blob PRIMARY KEY,
    name text NOT NULL,
    slug text NOT NULL UNIQUE,
    plan text NOT NULL REFERENCES plans (code),
    status text NOT NULL CHECK (status IN ('ACTIVE', 'SUSPENDED')),
    isolation text NOT NULL CHECK (isolation IN ('SHARED', 'SCHEMA', 'DATABASE')),
    created_at integer NOT NULL,
    updated_at integer NOT NULL
) STRICT;

CREATE TABLE accounts (
    id blob PRIMARY KEY,
    email text NOT NULL UNIQUE,
    password_hash text NOT NULL,
    -- Counts the passwords that this account has had: a session started under an older one is over.
    password_version integer NOT NULL,
    created_at integer NOT NULL,
    updated_at integer NOT NULL
) STRICT;

CREATE TABLE memberships (
    account_id blob NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    org_id blob NOT NULL REFERENCES organisations (id) ON DELETE CASCADE,
    user_id blob NOT NULL,
    created_at integer NOT NULL,
    -- When the account last started a session here; a sign-in without a choice goes to the latest.
    last_used_at integer NOT NULL,
    PRIMARY KEY (account_id, org_id)
) STRICT;

CREATE INDEX idx_memberships_org_id ON memberships (org_id);
