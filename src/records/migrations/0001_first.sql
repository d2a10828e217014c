-- The first schema. SQL that SQLite and PostgreSQL both take. No template and no image is ever stored here.
--
-- Personal text stands in reference_detail alone, which is only appended to, and is erased by overwriting with text of the
-- same length. So no row of it ever moves, and SQLite's b-tree never leaves a stale copy in the slack of a page (which
-- secure_delete does not reach). For the same reason no index holds personal text: subjects and images are looked up by a
-- 63-bit number made from their hash, and the text found is compared.

CREATE TABLE gallery (
    name TEXT NOT NULL PRIMARY KEY,
    purpose TEXT NOT NULL,
    model_name TEXT NOT NULL,
    model_hash TEXT NOT NULL,
    dimension BIGINT NOT NULL,
    originals TEXT NOT NULL,
    created_at TEXT NOT NULL,
    -- Templates up to this id count; whatever files hold beyond it was never committed.
    last_template_id BIGINT NOT NULL,
    -- Rises with every committed change; a search's record names it.
    snapshot_number BIGINT NOT NULL
);

-- One row for each enrolled template. Synthetic ones have a row only when they are erased.
CREATE TABLE template (
    gallery TEXT NOT NULL REFERENCES gallery (name),
    id BIGINT NOT NULL,
    -- live, erasing, erased
    state TEXT NOT NULL,
    subject_key BIGINT,
    image_key BIGINT,
    erased_at TEXT,
    PRIMARY KEY (gallery, id)
);

CREATE INDEX template_subject ON template (gallery, subject_key);
CREATE INDEX template_image ON template (gallery, image_key);
CREATE INDEX template_not_live ON template (gallery, state) WHERE state <> 'live';

CREATE TABLE reference_detail (
    gallery TEXT NOT NULL,
    template_id BIGINT NOT NULL,
    subject TEXT NOT NULL,
    image_sha256 TEXT NOT NULL,
    source TEXT NOT NULL,
    quality TEXT NOT NULL,
    width_px BIGINT NOT NULL,
    height_px BIGINT NOT NULL,
    enrolled_at TEXT NOT NULL,
    PRIMARY KEY (gallery, template_id),
    FOREIGN KEY (gallery, template_id) REFERENCES template (gallery, id)
);

-- Nothing is shown without a row here.
CREATE TABLE search (
    id BIGINT NOT NULL PRIMARY KEY,
    at TEXT NOT NULL,
    gallery TEXT NOT NULL REFERENCES gallery (name),
    actor TEXT NOT NULL,
    origin TEXT NOT NULL,
    probe_sha256 TEXT NOT NULL,
    face_x DOUBLE PRECISION NOT NULL,
    face_y DOUBLE PRECISION NOT NULL,
    face_width DOUBLE PRECISION NOT NULL,
    face_height DOUBLE PRECISION NOT NULL,
    model_hash TEXT NOT NULL,
    snapshot_number BIGINT NOT NULL,
    back_end TEXT NOT NULL,
    threshold DOUBLE PRECISION
);

-- Candidates name templates only: who a candidate was is found through reference_detail, as long as it is not erased.
CREATE TABLE search_candidate (
    search_id BIGINT NOT NULL REFERENCES search (id),
    rank BIGINT NOT NULL,
    template_id BIGINT NOT NULL,
    score DOUBLE PRECISION NOT NULL,
    PRIMARY KEY (search_id, rank)
);

CREATE TABLE search_stage (
    search_id BIGINT NOT NULL REFERENCES search (id),
    position BIGINT NOT NULL,
    name TEXT NOT NULL,
    milliseconds DOUBLE PRECISION NOT NULL,
    PRIMARY KEY (search_id, position)
);
