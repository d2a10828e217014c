-- The operating point that gave a search its threshold: name, hash and false positive rate; NULL where none did.
ALTER TABLE search ADD COLUMN operating_point TEXT;
