-- How a gallery's files lie on disk: mapped or sealed (docs/SEALED_FORMAT.md). SQL that SQLite and PostgreSQL both take.

ALTER TABLE gallery ADD COLUMN storage TEXT NOT NULL DEFAULT 'mapped';
