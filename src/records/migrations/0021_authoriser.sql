-- Who authorised a search, as whoever asked for it says: a name and no user's number, as they may be nobody here. SQL that SQLite and
-- PostgreSQL both take. A search that says nothing of it has no row.
--
-- The name is overwritten with as many x, and the salt with zeros, when the list of the search is emptied; the hash stays, by which the log
-- names them.

CREATE TABLE search_authoriser (
    search_id BIGINT NOT NULL PRIMARY KEY REFERENCES search (id),
    said TEXT NOT NULL,
    -- 32 hexadecimal digits.
    salt TEXT NOT NULL,
    -- 64 hexadecimal digits: by what the hash of the search names them.
    entry TEXT NOT NULL
);
