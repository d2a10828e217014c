-- Rules that take two people: proposals, what was said to them, and what came of them. Nobody's personal data stands here but
-- the names of those who decided.

CREATE TABLE proposal (
    id          BIGINT NOT NULL PRIMARY KEY,
    kind        TEXT NOT NULL,
    name        TEXT NOT NULL,
    -- The file as it was proposed, whole, and the sha256 of what it says.
    body        TEXT NOT NULL,
    sha256      TEXT NOT NULL,
    -- Number of the policy that was in force.
    base        BIGINT NOT NULL,
    -- How many others must approve it.
    needs       BIGINT NOT NULL,
    proposed_by TEXT NOT NULL,
    proposed_at TEXT NOT NULL,
    expires_at  TEXT NOT NULL,
    reason      TEXT NOT NULL,
    state       TEXT NOT NULL,
    version     BIGINT NOT NULL,
    changed_at  TEXT NOT NULL
);
CREATE INDEX proposal_state ON proposal (state, id);

CREATE TABLE proposal_voice (
    proposal_id BIGINT NOT NULL REFERENCES proposal (id),
    person      TEXT NOT NULL,
    said        TEXT NOT NULL,
    reason      TEXT,
    at          TEXT NOT NULL,
    PRIMARY KEY (proposal_id, person)
);

-- Number 0 is the built-in policy, which has no row.
CREATE TABLE policy_version (
    number      BIGINT NOT NULL PRIMARY KEY,
    proposal_id BIGINT NOT NULL REFERENCES proposal (id),
    sha256      TEXT NOT NULL,
    adopted_at  TEXT NOT NULL
);

CREATE TABLE signed_point (
    name        TEXT NOT NULL PRIMARY KEY,
    proposal_id BIGINT NOT NULL REFERENCES proposal (id),
    statement   TEXT NOT NULL,
    signature   TEXT NOT NULL
);

-- Against accidents, as in 0006.
CREATE TRIGGER proposal_stays BEFORE DELETE ON proposal
BEGIN SELECT RAISE(ABORT, 'proposals stay'); END;
CREATE TRIGGER proposal_says_what_it_said BEFORE UPDATE OF body, sha256, base, needs, proposed_by, proposed_at ON proposal
BEGIN SELECT RAISE(ABORT, 'a proposal is not changed'); END;
CREATE TRIGGER proposal_voice_stays BEFORE DELETE ON proposal_voice
BEGIN SELECT RAISE(ABORT, 'what was said stays'); END;
CREATE TRIGGER proposal_voice_is_kept BEFORE UPDATE ON proposal_voice
BEGIN SELECT RAISE(ABORT, 'what was said stays'); END;
CREATE TRIGGER policy_version_stays BEFORE DELETE ON policy_version
BEGIN SELECT RAISE(ABORT, 'policies that were in force stay'); END;
CREATE TRIGGER policy_version_is_kept BEFORE UPDATE ON policy_version
BEGIN SELECT RAISE(ABORT, 'policies that were in force stay'); END;
CREATE TRIGGER signed_point_stays BEFORE DELETE ON signed_point
BEGIN SELECT RAISE(ABORT, 'what was signed stays'); END;
CREATE TRIGGER signed_point_is_kept BEFORE UPDATE ON signed_point
BEGIN SELECT RAISE(ABORT, 'what was signed stays'); END;
