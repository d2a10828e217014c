-- Attributes of references (capture year, disposal): short texts by which a search is restricted. SQL that SQLite and
-- PostgreSQL both take.
--
-- What 0001 says about personal text holds here: the texts stand in reference_attribute alone, which is only appended to and
-- is erased by overwriting with text of the same length. What is looked up, hence indexed and moved about, are numbers: two
-- made from the value's hash (126 bits, so that equal keys mean equal values), and the value itself where it is a whole
-- number. Rows of template_attribute are those of live templates only: they are deleted when an erasure begins, so a filter
-- needs no second look.

CREATE TABLE template_attribute (
    gallery TEXT NOT NULL,
    template_id BIGINT NOT NULL,
    name TEXT NOT NULL,
    value_high BIGINT NOT NULL,
    value_low BIGINT NOT NULL,
    value_number BIGINT,
    PRIMARY KEY (gallery, template_id, name),
    FOREIGN KEY (gallery, template_id) REFERENCES template (gallery, id)
);

CREATE INDEX template_attribute_value ON template_attribute (gallery, name, value_high, value_low, template_id);
CREATE INDEX template_attribute_number ON template_attribute (gallery, name, value_number, template_id)
    WHERE value_number IS NOT NULL;

CREATE TABLE reference_attribute (
    gallery TEXT NOT NULL,
    template_id BIGINT NOT NULL,
    name TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (gallery, template_id, name),
    FOREIGN KEY (gallery, template_id) REFERENCES template (gallery, id)
);
