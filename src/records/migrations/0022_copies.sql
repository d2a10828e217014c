-- What an erasure does not reach, for its certificate. SQL that SQLite and PostgreSQL both take.

-- Of a gallery that was taken back from a backup: what that was of, and its last template then. Up to that number both have the same
-- templates; what was enrolled since is each one's own. NULL for galleries that were made here.
ALTER TABLE gallery ADD COLUMN restored_from TEXT;
ALTER TABLE gallery ADD COLUMN restored_through BIGINT;

-- Packs of searches that listed what an erasure is of: the lists don't say so any more when it is done.
CREATE TABLE erasure_disclosure (
    erasure_id BIGINT NOT NULL REFERENCES erasure (id),
    disclosure_id BIGINT NOT NULL REFERENCES disclosure (id),
    PRIMARY KEY (erasure_id, disclosure_id)
);
