-- Dip samples: searches, enrolments or decisions drawn for a supervisor to look at again. SQL that SQLite and PostgreSQL both
-- take. Nothing of a sample is ever deleted, so that nobody draws until they like what they get: a period is sampled once.
--
-- Free text stands in sample_text alone, which is only appended to (0001 says why).

CREATE TABLE sample (
    id BIGINT NOT NULL PRIMARY KEY,
    -- searches, enrolments, decisions
    of_kind TEXT NOT NULL,
    -- NULL for all galleries.
    gallery TEXT,
    -- From one moment on and before the other, RFC 3339.
    from_at TEXT NOT NULL,
    to_at TEXT NOT NULL,
    wanted BIGINT NOT NULL,
    -- 64 hexadecimal digits: shown to nobody before the draw. Its sha256 was published when the sample was opened.
    seed TEXT NOT NULL,
    opened_by TEXT NOT NULL,
    opened_at TEXT NOT NULL,
    drawn_by TEXT,
    drawn_at TEXT,
    -- The event that the checkpoint of the draw covers last.
    checkpoint_seq BIGINT,
    population BIGINT
);

CREATE TABLE sample_item (
    sample_id BIGINT NOT NULL REFERENCES sample (id),
    -- From 1, in the order of the draw.
    position BIGINT NOT NULL,
    -- As events name it.
    object TEXT NOT NULL,
    -- The event that tells of it, and who acted there.
    seq BIGINT NOT NULL,
    actor TEXT NOT NULL,
    gallery TEXT NOT NULL,
    -- What it is about: one of the two.
    template_id BIGINT,
    search_id BIGINT,
    PRIMARY KEY (sample_id, position)
);

-- For erasures.
CREATE INDEX sample_item_template ON sample_item (template_id) WHERE template_id IS NOT NULL;
CREATE INDEX sample_item_search ON sample_item (search_id) WHERE search_id IS NOT NULL;

CREATE TABLE sample_result (
    sample_id BIGINT NOT NULL,
    position BIGINT NOT NULL,
    -- right, wrong, cannot_tell
    outcome TEXT NOT NULL,
    person TEXT NOT NULL,
    at TEXT NOT NULL,
    PRIMARY KEY (sample_id, position),
    FOREIGN KEY (sample_id, position) REFERENCES sample_item (sample_id, position)
);

CREATE TABLE sample_text (
    sample_id BIGINT NOT NULL,
    position BIGINT NOT NULL,
    said TEXT NOT NULL,
    PRIMARY KEY (sample_id, position),
    FOREIGN KEY (sample_id, position) REFERENCES sample_result (sample_id, position)
);

-- Against accidents, as with the audit log.
CREATE TRIGGER sample_stays BEFORE DELETE ON sample
BEGIN SELECT RAISE(ABORT, 'samples stay'); END;
CREATE TRIGGER sample_is_drawn_once BEFORE UPDATE ON sample WHEN OLD.drawn_at IS NOT NULL
BEGIN SELECT RAISE(ABORT, 'a sample is drawn once'); END;
CREATE TRIGGER sample_item_stays BEFORE DELETE ON sample_item
BEGIN SELECT RAISE(ABORT, 'what was drawn stays'); END;
CREATE TRIGGER sample_item_is_kept BEFORE UPDATE ON sample_item
BEGIN SELECT RAISE(ABORT, 'what was drawn stays'); END;
CREATE TRIGGER sample_result_stays BEFORE DELETE ON sample_result
BEGIN SELECT RAISE(ABORT, 'outcomes stay'); END;
CREATE TRIGGER sample_result_is_kept BEFORE UPDATE ON sample_result
BEGIN SELECT RAISE(ABORT, 'outcomes stay'); END;

-- What a search's list depends on beside what stands in search, and the hash by which the audit log binds all of it. Searches
-- of before have no row.
CREATE TABLE search_context (
    search_id BIGINT NOT NULL PRIMARY KEY REFERENCES search (id),
    -- The longest list, in people.
    people BIGINT NOT NULL,
    -- The last template that counted, and how many did.
    last_template_id BIGINT NOT NULL,
    live BIGINT NOT NULL,
    -- 64 hexadecimal digits.
    sha256 TEXT NOT NULL
);

-- Packs that were made for somebody. They are not kept here: what stands here is what was given to whom, and its hash.
CREATE TABLE disclosure (
    id BIGINT NOT NULL PRIMARY KEY,
    search_id BIGINT NOT NULL REFERENCES search (id),
    lead_id BIGINT REFERENCES lead (id),
    gallery TEXT NOT NULL,
    made_by TEXT NOT NULL,
    made_at TEXT NOT NULL,
    -- Hash of what it tells, 64 hexadecimal digits.
    contents TEXT NOT NULL
);

CREATE INDEX disclosure_search ON disclosure (search_id);

-- Free text, appended only.
CREATE TABLE disclosure_text (
    disclosure_id BIGINT NOT NULL REFERENCES disclosure (id),
    -- recipient, reason
    field TEXT NOT NULL,
    said TEXT NOT NULL,
    PRIMARY KEY (disclosure_id, field)
);

CREATE TRIGGER disclosure_stays BEFORE DELETE ON disclosure
BEGIN SELECT RAISE(ABORT, 'disclosures stay'); END;
CREATE TRIGGER disclosure_is_kept BEFORE UPDATE ON disclosure
BEGIN SELECT RAISE(ABORT, 'disclosures stay'); END;
