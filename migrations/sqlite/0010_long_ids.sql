-- Ids have up to 255 bytes. The indexes of SQLite take them as they are; those of Postgres are made anew by this migration.
SELECT 1;
