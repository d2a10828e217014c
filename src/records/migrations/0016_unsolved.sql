-- Unsolved probes: searches that led to nobody, whose pictures are searched with again. They are kept apart from galleries: an entry is a
-- search and its kept picture, and nothing that a search could find. It stays no longer than that picture. SQL that SQLite and
-- PostgreSQL both take.

CREATE TABLE unsolved (
    id BIGINT NOT NULL PRIMARY KEY,
    search_id BIGINT NOT NULL REFERENCES search (id),
    probe_id BIGINT NOT NULL REFERENCES probe_image (id),
    gallery TEXT NOT NULL REFERENCES gallery (name),
    -- listed, removed, expired
    state TEXT NOT NULL,
    added_by TEXT NOT NULL,
    added_at TEXT NOT NULL,
    removed_by TEXT,
    removed_at TEXT
);

-- A search stands on the list once.
CREATE UNIQUE INDEX unsolved_listed ON unsolved (search_id) WHERE state = 'listed';
CREATE INDEX unsolved_probe ON unsolved (probe_id);

-- Free text, overwritten with as many x when the picture is erased, and never moved (0001 says why).
CREATE TABLE unsolved_text (
    unsolved_id BIGINT NOT NULL PRIMARY KEY REFERENCES unsolved (id),
    said TEXT NOT NULL
);

-- Searches that were made anew for an entry.
CREATE TABLE unsolved_search (
    search_id BIGINT NOT NULL PRIMARY KEY REFERENCES search (id),
    unsolved_id BIGINT NOT NULL REFERENCES unsolved (id)
);

CREATE INDEX unsolved_search_unsolved ON unsolved_search (unsolved_id, search_id);

-- Against accidents, as in 0006.
CREATE TRIGGER unsolved_stays BEFORE DELETE ON unsolved
BEGIN SELECT RAISE(ABORT, 'what was on the list stays on record'); END;
