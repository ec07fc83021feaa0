-- How many credits an organisation that is founded on this plan starts with.
ALTER TABLE plans ADD COLUMN initial_credits integer NOT NULL DEFAULT 100 CHECK (initial_credits >= 0);

UPDATE plans SET initial_credits = 1000 WHERE code = 'PRO';
UPDATE plans SET initial_credits = 10000 WHERE code = 'ENTERPRISE';

-- Where each ledger stands. Who appends to it holds this row.
CREATE TABLE credit_accounts (
    org_id blob PRIMARY KEY REFERENCES organisations (id) ON DELETE CASCADE,
    initial integer NOT NULL CHECK (initial >= 0),
    -- What may be spent: the sum of the entries.
    balance integer NOT NULL CHECK (balance >= 0),
    -- What is put aside for messages on their way: the sum of the reservations.
    reserved integer NOT NULL CHECK (reserved >= 0),
    last_seq integer NOT NULL CHECK (last_seq >= 0),
    -- Set while a low balance has not been told of in the organisation's log.
    low_since integer,
    -- The first entry that somebody decided and that is not told of in the organisation's log; null where all are.
    untold_seq integer,
    created_at integer NOT NULL,
    updated_at integer NOT NULL
) STRICT;

CREATE INDEX idx_credit_accounts_low_since ON credit_accounts (low_since);
CREATE INDEX idx_credit_accounts_untold_seq ON credit_accounts (untold_seq);

-- The ledger. Rows are added and never changed.
CREATE TABLE credit_entries (
    org_id blob NOT NULL REFERENCES credit_accounts (org_id) ON DELETE CASCADE,
    seq integer NOT NULL CHECK (seq > 0),
    kind text NOT NULL CHECK (kind IN ('INITIAL', 'RESERVED', 'SETTLED', 'REFUNDED', 'TOP_UP', 'ADJUSTMENT')),
    -- What it adds to the balance.
    amount integer NOT NULL,
    -- The balance after it.
    balance integer NOT NULL CHECK (balance >= 0),
    message_id blob,
    reason text,
    created_at integer NOT NULL,
    PRIMARY KEY (org_id, seq)
) STRICT;

-- Of each message one entry of a kind, however often it is asked for.
CREATE UNIQUE INDEX idx_credit_entries_org_id_message_id_kind ON credit_entries (org_id, message_id, kind);

-- What is reserved now. Settling or giving back deletes the row, and so happens once.
CREATE TABLE credit_reservations (
    org_id blob NOT NULL REFERENCES credit_accounts (org_id) ON DELETE CASCADE,
    message_id blob NOT NULL,
    channel text NOT NULL,
    amount integer NOT NULL CHECK (amount >= 0),
    created_at integer NOT NULL,
    PRIMARY KEY (org_id, message_id)
) STRICT;

CREATE INDEX idx_credit_reservations_created_at ON credit_reservations (created_at);

-- How many messages of each organisation stand where; moved with the ledger's entries.
CREATE TABLE message_totals (
    org_id blob NOT NULL REFERENCES credit_accounts (org_id) ON DELETE CASCADE,
    channel text NOT NULL,
    status text NOT NULL,
    count integer NOT NULL,
    PRIMARY KEY (org_id, channel, status)
) STRICT;

INSERT INTO credit_accounts (org_id, initial, balance, reserved, last_seq, created_at, updated_at)
SELECT o.id, p.initial_credits, p.initial_credits, 0, 1, o.created_at, o.created_at
FROM organisations o JOIN plans p ON p.code = o.plan;

INSERT INTO credit_entries (org_id, seq, kind, amount, balance, created_at)
SELECT org_id, 1, 'INITIAL', initial, initial, created_at FROM credit_accounts;

-- Which organisations may have jobs, and from when. An entry is made before the job that it is about, so
-- nobody has to look for jobs where there are none.
CREATE TABLE job_queues (
    org_id blob PRIMARY KEY REFERENCES organisations (id) ON DELETE CASCADE,
    due_at integer NOT NULL,
    -- When somebody last said that a job was to come.
    announced_at integer NOT NULL,
    -- How many of its jobs were dead when it had no others.
    dead integer NOT NULL DEFAULT 0 CHECK (dead >= 0)
) STRICT;

CREATE INDEX idx_job_queues_due_at ON job_queues (due_at);
