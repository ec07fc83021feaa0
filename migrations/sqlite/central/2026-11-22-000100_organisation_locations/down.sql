ALTER TABLE organisations DROP COLUMN location;
