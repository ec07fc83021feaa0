-- Work to be done later. A row is written in the transaction of its cause, and deleted when it is done.
CREATE TABLE jobs (
    org_id blob NOT NULL REFERENCES settings (org_id) ON DELETE CASCADE,
    id blob NOT NULL,
    kind text NOT NULL,
    payload text NOT NULL,
    state text NOT NULL CHECK (state IN ('READY', 'RUNNING', 'DEAD')),
    -- When it may be claimed: its time, or the end of the lease of who has it. A dead one may not.
    due_at integer,
    attempts integer NOT NULL CHECK (attempts >= 0),
    max_attempts integer NOT NULL CHECK (max_attempts > 0),
    -- Who has it: another at each claim.
    lease_id blob,
    last_error text,
    created_at integer NOT NULL,
    updated_at integer NOT NULL,
    PRIMARY KEY (org_id, id),
    CHECK ((state = 'DEAD') = (due_at IS NULL)),
    CHECK ((state = 'RUNNING') = (lease_id IS NOT NULL))
) STRICT;

CREATE INDEX idx_jobs_org_id_kind_due_at ON jobs (org_id, kind, due_at);
CREATE INDEX idx_jobs_org_id_state_id ON jobs (org_id, state, id);

CREATE TABLE messages (
    org_id blob NOT NULL REFERENCES settings (org_id) ON DELETE CASCADE,
    id blob NOT NULL,
    recipient text NOT NULL,
    channel text NOT NULL CHECK (channel IN ('sms', 'email', 'push', 'webhook')),
    body text NOT NULL,
    status text NOT NULL CHECK (status IN ('QUEUED', 'SENDING', 'SENT', 'FAILED', 'CANCELLED')),
    price integer NOT NULL CHECK (price >= 0),
    created_by blob NOT NULL,
    -- The job that sends it.
    job_id blob NOT NULL,
    created_at integer NOT NULL,
    updated_at integer NOT NULL,
    PRIMARY KEY (org_id, id)
) STRICT;

CREATE INDEX idx_messages_org_id_created_at_id ON messages (org_id, created_at, id);
CREATE INDEX idx_messages_org_id_status_created_at_id ON messages (org_id, status, created_at, id);
CREATE INDEX idx_messages_org_id_channel_created_at_id ON messages (org_id, channel, created_at, id);
CREATE INDEX idx_messages_org_id_recipient_created_at_id ON messages (org_id, recipient, created_at, id);
CREATE INDEX idx_messages_org_id_created_by_created_at_id ON messages (org_id, created_by, created_at, id);

-- Each attempt to send a message, begun before anything leaves. One without an outcome may have left.
CREATE TABLE message_attempts (
    org_id blob NOT NULL,
    message_id blob NOT NULL,
    number integer NOT NULL CHECK (number > 0),
    gateway text NOT NULL,
    started_at integer NOT NULL,
    ended_at integer,
    outcome text CHECK (outcome IN ('SENT', 'REJECTED', 'UNAVAILABLE', 'UNKNOWN')),
    detail text,
    PRIMARY KEY (org_id, message_id, number),
    FOREIGN KEY (org_id, message_id) REFERENCES messages (org_id, id) ON DELETE CASCADE,
    CHECK ((ended_at IS NULL) = (outcome IS NULL))
) STRICT;
