-- The name of the schema, database or file that holds an organisation's rows where these are apart. Null where they are
-- in the shared tables, and until that store was made.
ALTER TABLE organisations ADD COLUMN location text;
