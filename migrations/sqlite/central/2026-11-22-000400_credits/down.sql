DROP TABLE job_queues;
DROP TABLE message_totals;
DROP TABLE credit_reservations;
DROP TABLE credit_entries;
DROP TABLE credit_accounts;
ALTER TABLE plans DROP COLUMN initial_credits;
