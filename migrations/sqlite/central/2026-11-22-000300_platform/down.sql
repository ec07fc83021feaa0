DROP TABLE platform_audit;
DROP TABLE administrator_keys;
DROP TABLE administrator_sessions;
DROP TABLE administrators;
