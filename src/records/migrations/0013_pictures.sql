-- Kept pictures: which key a gallery has, which sealed blob is of which reference, and which blobs were begun and are not
-- committed yet. The blobs are files (docs/SEALED_FORMAT.md); no picture is ever stored here. SQL that SQLite and PostgreSQL
-- both take.

CREATE TABLE gallery_key (
    -- 32 hexadecimal digits; the key's file bears them.
    key_id TEXT NOT NULL PRIMARY KEY,
    gallery TEXT NOT NULL REFERENCES gallery (name),
    made_at TEXT NOT NULL,
    -- NULL while it is in use.
    destroyed_at TEXT
);

-- A gallery has one key at a time, whoever is quicker to make it.
CREATE UNIQUE INDEX gallery_key_in_use ON gallery_key (gallery) WHERE destroyed_at IS NULL;

-- Committed before a blob is written, and gone with the transaction that makes it count. What is here at a start is removed.
CREATE TABLE blob_pending (
    gallery TEXT NOT NULL,
    blob TEXT NOT NULL,
    -- 0 for a probe; -1 once the blob is being erased, so that it can't come to count any more.
    template_id BIGINT NOT NULL,
    PRIMARY KEY (gallery, blob)
);

-- The name of a blob is a hash of its picture under the gallery's key: it is overwritten with as many x when that is erased.
-- No index has it. Keyed by the template, as the picture comes and goes with it.
CREATE TABLE template_picture (
    gallery TEXT NOT NULL,
    template_id BIGINT NOT NULL,
    key_id TEXT NOT NULL REFERENCES gallery_key (key_id),
    blob TEXT NOT NULL,
    bytes BIGINT NOT NULL,
    PRIMARY KEY (gallery, template_id),
    FOREIGN KEY (gallery, template_id) REFERENCES template (gallery, id)
);

-- A picture that somebody searched with, kept as it came. It is never replaced: what is made of it stands beside it in probe_edit.
CREATE TABLE probe_image (
    id BIGINT NOT NULL PRIMARY KEY,
    gallery TEXT NOT NULL REFERENCES gallery (name),
    -- kept, erasing, erased
    state TEXT NOT NULL,
    key_id TEXT NOT NULL REFERENCES gallery_key (key_id),
    -- Drawn at random; as many x when it is erased.
    blob TEXT NOT NULL,
    bytes BIGINT NOT NULL,
    kept_at TEXT NOT NULL,
    expires_at TEXT NOT NULL
);

CREATE INDEX probe_image_gallery ON probe_image (gallery, id);
CREATE INDEX probe_image_expiry ON probe_image (expires_at, id) WHERE state <> 'erased';

-- One picture with several faces is one probe image of several searches.
CREATE TABLE search_probe (
    search_id BIGINT NOT NULL PRIMARY KEY REFERENCES search (id),
    probe_id BIGINT NOT NULL REFERENCES probe_image (id)
);

CREATE INDEX search_probe_probe ON search_probe (probe_id);

-- What was made of a probe image, in order. Only added to; texts are overwritten with as many x when it is erased.
CREATE TABLE probe_edit (
    probe_id BIGINT NOT NULL REFERENCES probe_image (id),
    -- From 1.
    number BIGINT NOT NULL,
    key_id TEXT NOT NULL REFERENCES gallery_key (key_id),
    blob TEXT NOT NULL,
    bytes BIGINT NOT NULL,
    sha256 TEXT NOT NULL,
    tool TEXT NOT NULL,
    parameters TEXT NOT NULL,
    person TEXT NOT NULL,
    made_at TEXT NOT NULL,
    PRIMARY KEY (probe_id, number)
);
