-- Subjects, the records of their images, and what holds or moves these. SQL that SQLite and PostgreSQL both take.
--
-- What a subject is called stands in subject_reference alone, and what people wrote about subjects in subject_note: both are
-- only appended to, and erased by overwriting with text of the same length (0001 says why). The other tables have numbers,
-- days, words of closed lists and names of staff, and are changed in place.

CREATE TABLE subject (
    id BIGINT NOT NULL PRIMARY KEY,
    gallery TEXT NOT NULL REFERENCES gallery (name),
    -- Made from the reference's hash; NULL when that is gone.
    subject_key BIGINT,
    -- live; merged into another; empty, as its images were given to others; erased; void (of an import that was taken back)
    state TEXT NOT NULL,
    merged_into BIGINT,
    -- The template that it came with: it counts when that does.
    first_template BIGINT NOT NULL,
    -- Since when it is kept and not searched.
    restricted_at TEXT,
    created_at TEXT NOT NULL,
    erased_at TEXT
);

CREATE INDEX subject_list ON subject (gallery, state, id);
CREATE INDEX subject_lookup ON subject (gallery, subject_key);
CREATE INDEX subject_restricted ON subject (gallery, id) WHERE restricted_at IS NOT NULL;
CREATE INDEX subject_merged ON subject (merged_into) WHERE merged_into IS NOT NULL;

CREATE TABLE subject_reference (
    subject_id BIGINT NOT NULL PRIMARY KEY REFERENCES subject (id),
    reference TEXT NOT NULL
);

CREATE TABLE image (
    id BIGINT NOT NULL PRIMARY KEY,
    gallery TEXT NOT NULL REFERENCES gallery (name),
    template_id BIGINT NOT NULL,
    -- Whom it shows, as far as is known today.
    subject_id BIGINT NOT NULL REFERENCES subject (id),
    -- live, erasing, erased, void
    state TEXT NOT NULL,
    captured_on TEXT,
    pose TEXT NOT NULL,
    lawful_basis TEXT,
    disposal TEXT NOT NULL,
    disposed_on TEXT,
    -- 0, 1, or nobody knows.
    under18 BIGINT,
    review_group BIGINT,
    -- Days that were given with it; the policy's stand below.
    review_on TEXT,
    expires_on TEXT,
    -- As somebody decided, with a reason.
    kept_until TEXT,
    -- By the policy, of what is known. NULL until they are reckoned, and when it is gone.
    review_due TEXT,
    expires TEXT,
    created_on TEXT NOT NULL
);

CREATE UNIQUE INDEX image_template ON image (gallery, template_id);
CREATE INDEX image_subject ON image (subject_id, id);
CREATE INDEX image_due ON image (gallery, review_due, id) WHERE review_due IS NOT NULL;
CREATE INDEX image_expiry ON image (gallery, expires, id) WHERE expires IS NOT NULL;
CREATE INDEX image_unreckoned ON image (gallery, id) WHERE review_due IS NULL AND state = 'live';

-- Images that were given to another subject.
CREATE TABLE subject_move (
    id BIGINT NOT NULL PRIMARY KEY,
    gallery TEXT NOT NULL REFERENCES gallery (name),
    -- merge, split, reassign
    kind TEXT NOT NULL,
    from_subject BIGINT NOT NULL REFERENCES subject (id),
    to_subject BIGINT NOT NULL REFERENCES subject (id),
    person TEXT NOT NULL,
    at TEXT NOT NULL,
    undone_by TEXT,
    undone_at TEXT
);

CREATE INDEX subject_move_from ON subject_move (from_subject, id);
CREATE INDEX subject_move_to ON subject_move (to_subject, id);

CREATE TABLE subject_move_image (
    move_id BIGINT NOT NULL REFERENCES subject_move (id),
    image_id BIGINT NOT NULL REFERENCES image (id),
    PRIMARY KEY (move_id, image_id)
);

CREATE INDEX subject_move_image_image ON subject_move_image (image_id, move_id);

-- What must not be erased, whatever else is due: several may stand.
CREATE TABLE legal_hold (
    id BIGINT NOT NULL PRIMARY KEY,
    gallery TEXT NOT NULL REFERENCES gallery (name),
    subject_id BIGINT NOT NULL REFERENCES subject (id),
    placed_by TEXT NOT NULL,
    placed_at TEXT NOT NULL,
    lifted_by TEXT,
    lifted_at TEXT
);

CREATE INDEX legal_hold_subject ON legal_hold (subject_id, id);
CREATE INDEX legal_hold_open ON legal_hold (gallery, id) WHERE lifted_at IS NULL;

-- Decisions about images that were due.
CREATE TABLE retention_review (
    id BIGINT NOT NULL PRIMARY KEY,
    gallery TEXT NOT NULL REFERENCES gallery (name),
    image_id BIGINT NOT NULL REFERENCES image (id),
    -- keep, delete
    decision TEXT NOT NULL,
    until TEXT,
    person TEXT NOT NULL,
    at TEXT NOT NULL,
    -- Where it takes two people.
    second_person TEXT,
    -- open (waits for the second), stands, done, dropped (another decision took its place)
    state TEXT NOT NULL
);

CREATE INDEX retention_review_image ON retention_review (image_id, id);
CREATE INDEX retention_review_delete ON retention_review (gallery, image_id) WHERE decision = 'delete' AND state = 'stands';

-- Why: what somebody wrote. Goes with whom it is about.
CREATE TABLE subject_note (
    id BIGINT NOT NULL PRIMARY KEY,
    subject_id BIGINT NOT NULL REFERENCES subject (id),
    -- The other subject of a move.
    other_id BIGINT,
    -- The image of a review.
    image_id BIGINT,
    -- move, undo, hold, lift, restriction, unrestriction, review
    about TEXT NOT NULL,
    about_id BIGINT NOT NULL,
    person TEXT NOT NULL,
    said TEXT NOT NULL,
    at TEXT NOT NULL
);

CREATE INDEX subject_note_subject ON subject_note (subject_id);
CREATE INDEX subject_note_other ON subject_note (other_id) WHERE other_id IS NOT NULL;
CREATE INDEX subject_note_image ON subject_note (image_id) WHERE image_id IS NOT NULL;
CREATE INDEX subject_note_about ON subject_note (about, about_id);

-- Erasures and their certificates. Whom they were about is known by a commitment alone.
CREATE TABLE erasure (
    id BIGINT NOT NULL PRIMARY KEY,
    gallery TEXT NOT NULL REFERENCES gallery (name),
    -- subject, reference
    what TEXT NOT NULL,
    commitment TEXT,
    asked_by TEXT NOT NULL,
    asked_at TEXT NOT NULL,
    done_at TEXT,
    -- In which bytes were overwritten.
    files BIGINT,
    -- The event that says that it is done.
    seq BIGINT,
    hash TEXT,
    -- JSON, as it was signed.
    certificate TEXT,
    signature TEXT
);

CREATE INDEX erasure_open ON erasure (gallery, id) WHERE certificate IS NULL;

CREATE TABLE erasure_template (
    erasure_id BIGINT NOT NULL REFERENCES erasure (id),
    template_id BIGINT NOT NULL,
    PRIMARY KEY (erasure_id, template_id)
);

-- Subjects are found by their own key from now on.
DROP INDEX template_subject;
