-- Long work that the serving process does in the background, one after another: whoever may write here can ask for it, and
-- follow it. SQL that SQLite and PostgreSQL both take. No name of a subject ever stands here.

CREATE TABLE job (
    id BIGINT NOT NULL PRIMARY KEY,
    -- import, index, compact, restore
    kind TEXT NOT NULL,
    -- There is none of that name yet when a backup is to be restored.
    gallery TEXT NOT NULL,
    -- JSON, as the layer above wrote it.
    request TEXT NOT NULL,
    -- waiting, running, done, failed, cancelled
    state TEXT NOT NULL,
    actor TEXT NOT NULL,
    origin TEXT NOT NULL,
    asked_at TEXT NOT NULL,
    started_at TEXT,
    ended_at TEXT,
    -- How often it was begun: one that ends the process every time is given up.
    attempts BIGINT NOT NULL,
    cancel_wanted BIGINT NOT NULL,
    -- What it does, and how much of how much is done.
    step TEXT NOT NULL,
    done BIGINT NOT NULL,
    total BIGINT NOT NULL,
    -- JSON of what came out, or the error in words.
    outcome TEXT
);

CREATE INDEX job_open ON job (state, id) WHERE ended_at IS NULL;

-- How graphs for approximate searches are kept up, as JSON; NULL where nobody asked for any.
ALTER TABLE gallery ADD COLUMN graph_plan TEXT;
