-- The audit log: append-only events in a chain of hashes, and signed checkpoints of it (docs/AUDIT_FORMAT.md). An event is
-- added in the transaction of what it tells of. No personal text of a subject ever stands here.

-- One row: a random name of this data folder, in the place of an event before the first. Made when records are opened.
CREATE TABLE folder (
    id TEXT NOT NULL PRIMARY KEY
);

CREATE TABLE audit_event (
    seq BIGINT NOT NULL PRIMARY KEY,
    -- As the text says; for finding.
    kind TEXT NOT NULL,
    -- JSON, as it was hashed.
    body TEXT NOT NULL,
    -- 64 hexadecimal digits.
    hash TEXT NOT NULL
);

CREATE INDEX audit_event_kind ON audit_event (kind, seq);

-- What events are about, as their texts say; for finding.
CREATE TABLE audit_object (
    seq BIGINT NOT NULL REFERENCES audit_event (seq),
    position BIGINT NOT NULL,
    object TEXT NOT NULL,
    PRIMARY KEY (seq, position)
);

CREATE INDEX audit_object_object ON audit_object (object, seq);

CREATE TABLE audit_checkpoint (
    -- The last event it covers.
    seq BIGINT NOT NULL PRIMARY KEY REFERENCES audit_event (seq),
    -- JSON, as it was signed.
    body TEXT NOT NULL,
    signature TEXT NOT NULL
);

-- Against accidents. Whoever owns the file can take these away; then the chain and the checkpoints tell.
CREATE TRIGGER audit_event_stays BEFORE DELETE ON audit_event
BEGIN SELECT RAISE(ABORT, 'the audit log is only added to'); END;
CREATE TRIGGER audit_event_is_kept BEFORE UPDATE ON audit_event
BEGIN SELECT RAISE(ABORT, 'the audit log is only added to'); END;
CREATE TRIGGER audit_checkpoint_stays BEFORE DELETE ON audit_checkpoint
BEGIN SELECT RAISE(ABORT, 'the audit log is only added to'); END;
CREATE TRIGGER audit_checkpoint_is_kept BEFORE UPDATE ON audit_checkpoint
BEGIN SELECT RAISE(ABORT, 'the audit log is only added to'); END;
