-- By what a session was opened (`detail.by` of its event): roles may come to take a second factor while it is open. Of those that
-- are open already it is not known, so that they count as if opened by a password alone.
ALTER TABLE session ADD COLUMN opened_by TEXT NOT NULL DEFAULT 'password';
