-- Users, their roles and their keys. Names of staff are no case data: they are kept as long as the events that name them, so a
-- user is never deleted, and a name never used again.

CREATE TABLE app_user (
    id BIGINT NOT NULL PRIMARY KEY,
    -- a-z, 0-9, '.', '-', '_'.
    name TEXT NOT NULL UNIQUE,
    -- The full name, or what a service is for.
    display TEXT NOT NULL,
    -- active, locked or left.
    state TEXT NOT NULL,
    -- Wrong passwords since the last right one.
    failed_count BIGINT NOT NULL,
    -- No password counts before this; RFC 3339.
    locked_until TEXT,
    created_at TEXT NOT NULL,
    changed_at TEXT NOT NULL
);

CREATE TABLE user_role (
    user_id BIGINT NOT NULL REFERENCES app_user (id),
    role TEXT NOT NULL,
    -- A gallery, which need not be there yet, or '*' for all.
    gallery TEXT NOT NULL,
    granted_at TEXT NOT NULL,
    PRIMARY KEY (user_id, role, gallery)
);

-- Apart from the user, so that no list can show it.
CREATE TABLE user_secret (
    user_id BIGINT NOT NULL PRIMARY KEY REFERENCES app_user (id),
    -- Argon2id, as a PHC text.
    password TEXT NOT NULL,
    set_at TEXT NOT NULL
);

CREATE TABLE api_key (
    id BIGINT NOT NULL PRIMARY KEY,
    -- Eight hexadecimal digits that name it.
    prefix TEXT NOT NULL UNIQUE,
    -- Of the secret part, which stands nowhere.
    secret_sha256 TEXT NOT NULL,
    user_id BIGINT NOT NULL REFERENCES app_user (id),
    -- Words with blanks between them.
    permissions TEXT NOT NULL,
    -- Names with blanks between them, or '*' for wherever its owner may.
    galleries TEXT NOT NULL,
    rate_per_min BIGINT NOT NULL,
    created_at TEXT NOT NULL,
    expires_at TEXT NOT NULL,
    -- The key that this one replaces.
    rotated_from BIGINT REFERENCES api_key (id),
    revoked_at TEXT,
    -- The day of its last use, not the moment: no write a request.
    last_used_day TEXT
);

CREATE INDEX api_key_user ON api_key (user_id, id);

-- Of people at a browser. Rows of those that are over are deleted: what happened stands in the audit log.
CREATE TABLE session (
    id BIGINT NOT NULL PRIMARY KEY,
    token_sha256 TEXT NOT NULL UNIQUE,
    user_id BIGINT NOT NULL REFERENCES app_user (id),
    created_at TEXT NOT NULL,
    expires_at TEXT NOT NULL,
    -- Earlier, if nothing more is asked.
    idle_until TEXT NOT NULL
);

CREATE INDEX session_user ON session (user_id, id);
