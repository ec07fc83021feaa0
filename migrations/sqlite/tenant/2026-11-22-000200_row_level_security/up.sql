-- SQLite has no row-level security: a file is read by its hub alone, through scopes.
SELECT 1;
