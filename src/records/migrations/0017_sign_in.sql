-- Second factors: what the codes of a user's telephone are made of, and codes on paper. Apart from the user, so that no list can
-- show it. Gone with the user's leaving.

CREATE TABLE user_totp (
    user_id BIGINT NOT NULL PRIMARY KEY REFERENCES app_user (id),
    -- Sealed for this user under the key in keys/people.key.
    sealed TEXT NOT NULL,
    -- Codes are asked for since then; not before one was shown.
    confirmed_at TEXT,
    -- The last half minute whose code was taken: no code counts twice, and none of before.
    last_step BIGINT NOT NULL,
    begun_at TEXT NOT NULL
);

-- A code on paper that was used is deleted.
CREATE TABLE user_recovery (
    user_id BIGINT NOT NULL REFERENCES app_user (id),
    sha256 TEXT NOT NULL,
    PRIMARY KEY (user_id, sha256)
);

-- Who users are at a provider of the settings: an administrator says so, nobody comes in by being known there alone.
CREATE TABLE user_identity (
    -- The provider's address, and its name for somebody.
    issuer TEXT NOT NULL,
    subject TEXT NOT NULL,
    user_id BIGINT NOT NULL REFERENCES app_user (id),
    linked_at TEXT NOT NULL,
    PRIMARY KEY (issuer, subject)
);

CREATE INDEX user_identity_user ON user_identity (user_id);
