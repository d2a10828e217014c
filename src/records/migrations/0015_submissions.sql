-- Pictures that somebody from outside hands in, and what became of them as far as they may know. The pictures are files under a key of
-- their own (docs/SEALED_FORMAT.md): they belong to no gallery. SQL that SQLite and PostgreSQL both take.
--
-- Free text stands in submission_text alone; it is overwritten with as many x when a submission is erased, and never moved (0001 says why).

-- As gallery_key; `gallery` is a word that no gallery can be called by.
CREATE TABLE submission_key (
    key_id TEXT NOT NULL PRIMARY KEY,
    gallery TEXT NOT NULL,
    made_at TEXT NOT NULL,
    destroyed_at TEXT
);

CREATE UNIQUE INDEX submission_key_in_use ON submission_key (gallery) WHERE destroyed_at IS NULL;

CREATE TABLE submission (
    id BIGINT NOT NULL PRIMARY KEY,
    submitter TEXT NOT NULL,
    -- received, taken, closed
    state TEXT NOT NULL,
    -- kept, erasing, erased
    kept TEXT NOT NULL,
    received_at TEXT NOT NULL,
    expires_at TEXT NOT NULL,
    taken_by TEXT,
    taken_at TEXT,
    closed_by TEXT,
    closed_at TEXT
);

CREATE INDEX submission_submitter ON submission (submitter, id);
CREATE INDEX submission_expiry ON submission (expires_at, id) WHERE kept <> 'erased';

CREATE TABLE submission_image (
    submission_id BIGINT NOT NULL REFERENCES submission (id),
    -- From 1.
    number BIGINT NOT NULL,
    -- It stays when the picture is erased, as that of a search does: receipts name it.
    sha256 TEXT NOT NULL,
    bytes BIGINT NOT NULL,
    key_id TEXT NOT NULL REFERENCES submission_key (key_id),
    -- Drawn at random; as many x when it is erased.
    blob TEXT NOT NULL,
    PRIMARY KEY (submission_id, number)
);

-- The same picture is not taken in twice from one submitter.
CREATE INDEX submission_image_sha256 ON submission_image (sha256);

CREATE TABLE submission_text (
    submission_id BIGINT NOT NULL REFERENCES submission (id),
    -- reference, place, time: what the submitter wrote; reason: why it was closed
    field TEXT NOT NULL,
    said TEXT NOT NULL,
    PRIMARY KEY (submission_id, field)
);

-- Searches that were made with the pictures of a submission.
CREATE TABLE submission_search (
    search_id BIGINT NOT NULL PRIMARY KEY REFERENCES search (id),
    submission_id BIGINT NOT NULL REFERENCES submission (id)
);

CREATE INDEX submission_search_submission ON submission_search (submission_id, search_id);

-- Against accidents, as in 0006.
CREATE TRIGGER submission_stays BEFORE DELETE ON submission
BEGIN SELECT RAISE(ABORT, 'submissions stay'); END;
CREATE TRIGGER submission_image_stays BEFORE DELETE ON submission_image
BEGIN SELECT RAISE(ABORT, 'what was handed in stays on record'); END;
