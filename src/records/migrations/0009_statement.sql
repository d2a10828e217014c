-- What a search stated: purpose, lawful basis and seriousness in words of the policy that it was held against, case and reason
-- in free text. SQL that SQLite and PostgreSQL both take. A search that stated nothing has no row.
--
-- Free text stands in search_text alone, which is only appended to (0001 says why).

CREATE TABLE search_statement (
    search_id BIGINT NOT NULL PRIMARY KEY REFERENCES search (id),
    purpose TEXT NOT NULL,
    lawful_basis TEXT,
    seriousness TEXT,
    policy_sha256 TEXT NOT NULL
);

CREATE INDEX search_statement_purpose ON search_statement (purpose, search_id);

CREATE TABLE search_text (
    search_id BIGINT NOT NULL REFERENCES search (id),
    -- case_ref, reason
    field TEXT NOT NULL,
    said TEXT NOT NULL,
    PRIMARY KEY (search_id, field)
);
