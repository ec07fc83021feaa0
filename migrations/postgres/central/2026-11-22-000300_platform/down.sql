DROP TABLE platform_audit;
DROP FUNCTION refuse_audit_change;
DROP TABLE administrator_keys;
DROP TABLE administrator_sessions;
DROP TABLE administrators;
