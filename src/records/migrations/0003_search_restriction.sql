-- Which part of a gallery a search was restricted to, in words without subjects; NULL for the whole gallery.
ALTER TABLE search ADD COLUMN restriction TEXT;
