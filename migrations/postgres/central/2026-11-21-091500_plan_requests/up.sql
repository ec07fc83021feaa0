-- How many requests a minute an organisation on this plan may send; null is no limit. As many as its seats
-- at the default of 100 each.
ALTER TABLE plans ADD COLUMN requests_per_minute bigint CHECK (requests_per_minute > 0);

UPDATE plans SET requests_per_minute = 300 WHERE code = 'FREE';
UPDATE plans SET requests_per_minute = 1000 WHERE code = 'PRO';
