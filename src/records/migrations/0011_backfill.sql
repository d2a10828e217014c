-- Subjects and images for references that have none: those of a release before schema 11, here or in a backup that is taken in.
-- Changes nothing where there are none. Afterwards a subject's reference stands in one place.

INSERT INTO subject (id, gallery, subject_key, state, first_template, created_at)
SELECT base.last + ROW_NUMBER() OVER (ORDER BY g.gallery, g.first_template), g.gallery, g.subject_key, 'live', g.first_template, g.at
FROM (SELECT t.gallery AS gallery, t.subject_key AS subject_key, d.subject AS subject, MIN(t.id) AS first_template,
        MIN(d.enrolled_at) AS at
    FROM template t JOIN reference_detail d ON d.gallery = t.gallery AND d.template_id = t.id
    WHERE t.subject_key IS NOT NULL AND t.state IN ('live', 'erasing')
    AND NOT EXISTS (SELECT 1 FROM image i WHERE i.gallery = t.gallery AND i.template_id = t.id)
    GROUP BY t.gallery, t.subject_key, d.subject) g,
    (SELECT COALESCE(MAX(id), 0) AS last FROM subject) base;

INSERT INTO subject_reference (subject_id, reference)
SELECT s.id, d.subject FROM subject s
JOIN reference_detail d ON d.gallery = s.gallery AND d.template_id = s.first_template
WHERE NOT EXISTS (SELECT 1 FROM subject_reference r WHERE r.subject_id = s.id) ORDER BY s.id;

INSERT INTO image (id, gallery, template_id, subject_id, state, pose, disposal, created_on)
SELECT base.last + ROW_NUMBER() OVER (ORDER BY t.gallery, t.id), t.gallery, t.id, s.id, t.state, 'unknown', 'none_yet',
    SUBSTR(d.enrolled_at, 1, 10)
FROM template t JOIN reference_detail d ON d.gallery = t.gallery AND d.template_id = t.id
JOIN subject s ON s.gallery = t.gallery AND s.subject_key = t.subject_key
JOIN subject_reference r ON r.subject_id = s.id AND r.reference = d.subject,
    (SELECT COALESCE(MAX(id), 0) AS last FROM image) base
WHERE t.subject_key IS NOT NULL AND t.state IN ('live', 'erasing')
AND NOT EXISTS (SELECT 1 FROM image i WHERE i.gallery = t.gallery AND i.template_id = t.id);

-- As many bytes, so that the rows stay in their places. No reference is longer.
UPDATE reference_detail SET subject = SUBSTR('xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx', 1, OCTET_LENGTH(subject))
WHERE EXISTS (SELECT 1 FROM template t WHERE t.gallery = reference_detail.gallery AND t.id = reference_detail.template_id
    AND t.subject_key IS NOT NULL);

UPDATE template SET subject_key = NULL WHERE subject_key IS NOT NULL;
