ALTER TABLE activity_heads DROP COLUMN suspended_at;
DROP TABLE sign_ups;
