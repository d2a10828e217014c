-- The review of candidate lists by two people, and what came of it. SQL that SQLite and PostgreSQL both take.
--
-- What may happen to a review is decided above the records (casework/review/machine.rs); here stand its present state and
-- what was decided. A row of review is changed only by whoever has read its latest version. Free text stands in review_text
-- alone, which is only appended to. No subject is named: candidates are templates.

CREATE TABLE review (
    id BIGINT NOT NULL PRIMARY KEY,
    search_id BIGINT NOT NULL UNIQUE REFERENCES search (id),
    gallery TEXT NOT NULL REFERENCES gallery (name),
    -- open, first, awaiting_second, second, conflict, third, lead, closed_negative, closed_conflict, withdrawn
    state TEXT NOT NULL,
    -- Rises with every change.
    version BIGINT NOT NULL,
    opened_by TEXT NOT NULL,
    opened_at TEXT NOT NULL,
    -- Of the policy it is reviewed under.
    policy_sha256 TEXT NOT NULL,
    claimed_by TEXT,
    claimed_until TEXT,
    -- When whoever has claimed it was first shown the candidates, and the sha256 of what they were shown.
    seen_at TEXT,
    seen_sha256 TEXT,
    changed_at TEXT NOT NULL
);

CREATE INDEX review_state ON review (state, id);

CREATE TABLE review_decision (
    review_id BIGINT NOT NULL REFERENCES review (id),
    -- 1, 2, 3
    stage BIGINT NOT NULL,
    person TEXT NOT NULL,
    -- possible_identification, exclusion, inconclusive, not_suitable
    finding TEXT NOT NULL,
    template_id BIGINT,
    seen_at TEXT,
    seen_sha256 TEXT,
    decided_at TEXT NOT NULL,
    PRIMARY KEY (review_id, stage),
    -- Nobody decides twice, whatever the program does.
    UNIQUE (review_id, person)
);

-- For erasures: what people wrote about a candidate goes with it.
CREATE INDEX review_decision_template ON review_decision (template_id) WHERE template_id IS NOT NULL;

CREATE TABLE review_text (
    review_id BIGINT NOT NULL REFERENCES review (id),
    position BIGINT NOT NULL,
    person TEXT NOT NULL,
    said TEXT NOT NULL,
    at TEXT NOT NULL,
    PRIMARY KEY (review_id, position)
);

CREATE TABLE lead (
    id BIGINT NOT NULL PRIMARY KEY,
    review_id BIGINT NOT NULL UNIQUE REFERENCES review (id),
    gallery TEXT NOT NULL REFERENCES gallery (name),
    template_id BIGINT NOT NULL,
    named_by TEXT NOT NULL,
    also_named_by TEXT NOT NULL,
    dissent TEXT,
    made_at TEXT NOT NULL,
    CHECK (named_by <> also_named_by)
);

CREATE TABLE lead_outcome (
    lead_id BIGINT NOT NULL REFERENCES lead (id),
    position BIGINT NOT NULL,
    -- arrest, charge, eliminated, no_further_action, denied_code_d, other
    outcome TEXT NOT NULL,
    person TEXT NOT NULL,
    at TEXT NOT NULL,
    PRIMARY KEY (lead_id, position)
);

-- Decisions stay as they were made: against accidents, as with the audit log.
CREATE TRIGGER review_decision_stays BEFORE DELETE ON review_decision
BEGIN SELECT RAISE(ABORT, 'decisions stay'); END;
CREATE TRIGGER review_decision_is_kept BEFORE UPDATE ON review_decision
BEGIN SELECT RAISE(ABORT, 'decisions stay'); END;
