-- Candidates of lists can be erased without the log's hash of the list becoming another: it binds each by a salted hash, which stays.

-- 32 hexadecimal digits; NULL in lists of before, which the log binds by the numbers themselves.
ALTER TABLE search_candidate ADD COLUMN salt TEXT;
-- 64 hexadecimal digits: by what the list's hash names the candidate.
ALTER TABLE search_candidate ADD COLUMN entry TEXT;
-- When it was erased: template, score and salt are zeros then.
ALTER TABLE search_candidate ADD COLUMN erased_at TEXT;

CREATE INDEX search_candidate_template ON search_candidate (template_id, search_id);

-- Which of the texts of docs/AUDIT_FORMAT.md the hash is of.
ALTER TABLE search_context ADD COLUMN form BIGINT NOT NULL DEFAULT 1;

-- When the period of its list was over: nothing of the list, of what was stated and written about it is left.
ALTER TABLE search ADD COLUMN emptied_at TEXT;

CREATE INDEX search_to_empty ON search (gallery, at, id) WHERE emptied_at IS NULL;
