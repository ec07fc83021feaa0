-- The second lock: a transaction reaches the rows of the organisations that its scope names, whatever its queries say.
-- FORCE holds the tables' owner to it, too; only a superuser and a role with BYPASSRLS are above it, and the hub works
-- under a role that is neither. The setting stands in a subquery so that it is read once a statement, and not once a row.

ALTER TABLE settings ENABLE ROW LEVEL SECURITY;
ALTER TABLE settings FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON settings
    USING (org_id = ANY ((SELECT current_setting('roomcast.orgs', true)::uuid[])::uuid[]))
    WITH CHECK (org_id = ANY ((SELECT current_setting('roomcast.orgs', true)::uuid[])::uuid[]));

ALTER TABLE users ENABLE ROW LEVEL SECURITY;
ALTER TABLE users FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON users
    USING (org_id = ANY ((SELECT current_setting('roomcast.orgs', true)::uuid[])::uuid[]))
    WITH CHECK (org_id = ANY ((SELECT current_setting('roomcast.orgs', true)::uuid[])::uuid[]));

ALTER TABLE sessions ENABLE ROW LEVEL SECURITY;
ALTER TABLE sessions FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON sessions
    USING (org_id = ANY ((SELECT current_setting('roomcast.orgs', true)::uuid[])::uuid[]))
    WITH CHECK (org_id = ANY ((SELECT current_setting('roomcast.orgs', true)::uuid[])::uuid[]));

ALTER TABLE invites ENABLE ROW LEVEL SECURITY;
ALTER TABLE invites FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON invites
    USING (org_id = ANY ((SELECT current_setting('roomcast.orgs', true)::uuid[])::uuid[]))
    WITH CHECK (org_id = ANY ((SELECT current_setting('roomcast.orgs', true)::uuid[])::uuid[]));

ALTER TABLE activity_heads ENABLE ROW LEVEL SECURITY;
ALTER TABLE activity_heads FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON activity_heads
    USING (org_id = ANY ((SELECT current_setting('roomcast.orgs', true)::uuid[])::uuid[]))
    WITH CHECK (org_id = ANY ((SELECT current_setting('roomcast.orgs', true)::uuid[])::uuid[]));

ALTER TABLE activities ENABLE ROW LEVEL SECURITY;
ALTER TABLE activities FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON activities
    USING (org_id = ANY ((SELECT current_setting('roomcast.orgs', true)::uuid[])::uuid[]))
    WITH CHECK (org_id = ANY ((SELECT current_setting('roomcast.orgs', true)::uuid[])::uuid[]));

ALTER TABLE activity_recipients ENABLE ROW LEVEL SECURITY;
ALTER TABLE activity_recipients FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON activity_recipients
    USING (org_id = ANY ((SELECT current_setting('roomcast.orgs', true)::uuid[])::uuid[]))
    WITH CHECK (org_id = ANY ((SELECT current_setting('roomcast.orgs', true)::uuid[])::uuid[]));

ALTER TABLE idempotency_keys ENABLE ROW LEVEL SECURITY;
ALTER TABLE idempotency_keys FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON idempotency_keys
    USING (org_id = ANY ((SELECT current_setting('roomcast.orgs', true)::uuid[])::uuid[]))
    WITH CHECK (org_id = ANY ((SELECT current_setting('roomcast.orgs', true)::uuid[])::uuid[]));
