//! What of a gallery's records goes into a copy, and comes back out of one: the tables, and which of their rows.

/// A table as far as copies have it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Table {
    pub(super) name: &'static str,
    pub(super) numbers: &'static [&'static str],
    pub(super) texts: &'static [&'static str],
}

impl Table {
    pub(super) fn columns(&self) -> impl Iterator<Item = &'static str> {
        self.numbers.iter().chain(self.texts).copied()
    }
}

const GALLERY: Table = Table {
    name: "gallery",
    numbers: &["dimension", "last_template_id", "snapshot_number"],
    texts: &["name", "purpose", "model_name", "model_hash", "originals", "created_at", "graph_plan"],
};
/// With what a copy of before there were kinds of files does not have.
const GALLERY_WITH_STORAGE: Table = Table {
    texts: &["name", "purpose", "model_name", "model_hash", "originals", "created_at", "graph_plan", "storage"],
    ..GALLERY
};
const TEMPLATE: Table =
    Table { name: "template", numbers: &["id", "subject_key", "image_key"], texts: &["gallery", "state", "erased_at"] };
const REFERENCE_DETAIL: Table = Table {
    name: "reference_detail",
    numbers: &["template_id", "width_px", "height_px"],
    texts: &["gallery", "subject", "image_sha256", "source", "quality", "enrolled_at"],
};
const TEMPLATE_ATTRIBUTE: Table = Table {
    name: "template_attribute",
    numbers: &["template_id", "value_high", "value_low", "value_number"],
    texts: &["gallery", "name"],
};
const REFERENCE_ATTRIBUTE: Table =
    Table { name: "reference_attribute", numbers: &["template_id"], texts: &["gallery", "name", "value"] };
const SUBJECT: Table = Table {
    name: "subject",
    numbers: &["id", "subject_key", "merged_into", "first_template"],
    texts: &["gallery", "state", "restricted_at", "created_at", "erased_at"],
};
const SUBJECT_REFERENCE: Table = Table { name: "subject_reference", numbers: &["subject_id"], texts: &["reference"] };
const IMAGE: Table = Table {
    name: "image",
    numbers: &["id", "template_id", "subject_id", "under18", "review_group"],
    texts: &[
        "gallery",
        "state",
        "captured_on",
        "pose",
        "lawful_basis",
        "disposal",
        "disposed_on",
        "review_on",
        "expires_on",
        "kept_until",
        "review_due",
        "expires",
        "created_on",
    ],
};
const LEGAL_HOLD: Table = Table {
    name: "legal_hold",
    numbers: &["id", "subject_id"],
    texts: &["gallery", "placed_by", "placed_at", "lifted_by", "lifted_at"],
};

/// Rows of one table: its own stand in the source as `x`.
#[derive(Debug)]
pub(super) struct Part {
    pub(super) table: Table,
    /// What follows `FROM`.
    rows: String,
    /// Columns that do not come as they are.
    changed: &'static [(&'static str, &'static str)],
}

impl Part {
    pub(super) fn select(&self) -> String {
        let column = |name: &'static str| {
            let changed = self.changed.iter().find(|(changed, _)| *changed == name);
            changed.map_or_else(|| format!("x.{name} AS {name}"), |(_, to)| format!("{to} AS {name}"))
        };
        let columns: Vec<String> = self.table.columns().map(column).collect();
        format!("SELECT {} FROM {}", columns.join(", "), self.rows)
    }
}

fn part(table: Table, rows: impl Into<String>, changed: &'static [(&'static str, &'static str)]) -> Part {
    Part { table, rows: rows.into(), changed }
}

/// Rows beside live templates: `live` says which are.
fn beside_live(table: Table, live: &str, changed: &'static [(&'static str, &'static str)]) -> Part {
    let name = table.name;
    let rows = format!(
        "{name} x JOIN template t ON t.gallery = x.gallery AND t.id = x.template_id WHERE x.gallery = $1 AND {live} ORDER BY t.id"
    );
    part(table, rows, changed)
}

/// That a subject has an image in the copy.
fn has_image(subject: &str, live: &str) -> String {
    format!(
        "EXISTS (SELECT 1 FROM image i JOIN template t ON t.gallery = i.gallery AND t.id = i.template_id \
         WHERE i.subject_id = {subject} AND i.state = 'live' AND {live})"
    )
}

/// Subjects with an image in the copy, then who was merged into them: whoever is enrolled as these is known to be them.
fn subjects(live: &str, changed: &'static [(&'static str, &'static str)]) -> [Part; 2] {
    let (own, others) = (has_image("x.id", live), has_image("x.merged_into", live));
    let those = format!("subject x WHERE x.gallery = $1 AND {own} ORDER BY x.id");
    let merged =
        format!("subject x WHERE x.gallery = $1 AND x.state = 'merged' AND {others} AND NOT {own} ORDER BY x.id");
    [part(SUBJECT, those, changed), part(SUBJECT, merged, changed)]
}

/// That the subject `s` is one of [`subjects`].
fn is_subject(live: &str) -> String {
    let (own, others) = (has_image("s.id", live), has_image("s.merged_into", live));
    format!("s.gallery = $1 AND ({own} OR (s.state = 'merged' AND {others}))")
}

/// From records into a copy: `$1` is the gallery, `$2` its last template that goes with it, `$3` the time. Details and attributes go
/// with live references only: of the others nothing but their erasure is known.
pub(super) fn parts_out() -> Vec<Part> {
    let live = "t.state = 'live' AND t.id <= $2";
    let subject = is_subject(live);
    let [own, merged] = subjects(live, &[]);
    vec![
        part(GALLERY_WITH_STORAGE, "gallery x WHERE x.name = $1", &[("last_template_id", "CAST($2 AS BIGINT)")]),
        part(
            TEMPLATE,
            "template x WHERE x.gallery = $1 AND x.id <= $2 AND x.state <> 'void' ORDER BY x.id",
            &[
                ("state", "CASE x.state WHEN 'live' THEN 'live' ELSE 'erased' END"),
                ("subject_key", "CASE x.state WHEN 'live' THEN x.subject_key END"),
                ("image_key", "CASE x.state WHEN 'live' THEN x.image_key END"),
                ("erased_at", "CASE x.state WHEN 'erasing' THEN $3 ELSE x.erased_at END"),
            ],
        ),
        beside_live(REFERENCE_DETAIL, live, &[]),
        beside_live(TEMPLATE_ATTRIBUTE, live, &[]),
        beside_live(REFERENCE_ATTRIBUTE, live, &[]),
        own,
        merged,
        part(
            SUBJECT_REFERENCE,
            format!("subject_reference x JOIN subject s ON s.id = x.subject_id WHERE {subject} ORDER BY s.id"),
            &[],
        ),
        part(
            IMAGE,
            format!(
                "image x JOIN template t ON t.gallery = x.gallery AND t.id = x.template_id \
                 WHERE x.gallery = $1 AND x.state = 'live' AND {live} ORDER BY x.id"
            ),
            &[],
        ),
        part(
            LEGAL_HOLD,
            format!(
                "legal_hold x JOIN subject s ON s.id = x.subject_id WHERE x.gallery = $1 AND x.lifted_at IS NULL \
                 AND {subject} ORDER BY x.id"
            ),
            &[],
        ),
    ]
}

/// In a copy: live, and not erased since. The copy is a file of `SQLite`, so these statements are for that alone.
const LIVE_STILL: &str = "t.state = 'live' AND t.id NOT IN (SELECT template_id FROM temp.erased_since)";

/// Out of a copy: `$1` is the name in the copy, `$2` the new one. Templates in `erased_since` come as erased.
pub(super) fn parts_in() -> Vec<Part> {
    let name: &[(&str, &str)] = &[("gallery", "$2")];
    vec![
        part(GALLERY, "gallery x WHERE x.name = $1", &[("name", "$2"), ("snapshot_number", "x.snapshot_number + 1")]),
        part(
            TEMPLATE,
            "template x LEFT JOIN temp.erased_since e ON e.template_id = x.id WHERE x.gallery = $1 ORDER BY x.id",
            &[
                ("gallery", "$2"),
                ("state", "CASE WHEN e.template_id IS NULL THEN x.state ELSE 'erased' END"),
                ("subject_key", "CASE WHEN e.template_id IS NULL THEN x.subject_key END"),
                ("image_key", "CASE WHEN e.template_id IS NULL THEN x.image_key END"),
                ("erased_at", "COALESCE(x.erased_at, e.erased_at)"),
            ],
        ),
        // A synthetic template has a row only once it is erased.
        part(
            TEMPLATE,
            "temp.erased_since e WHERE e.template_id NOT IN (SELECT id FROM template WHERE gallery = $1) \
             AND e.template_id <= (SELECT last_template_id FROM gallery WHERE name = $1) ORDER BY e.template_id",
            &[
                ("gallery", "$2"),
                ("id", "e.template_id"),
                ("state", "'erased'"),
                ("subject_key", "NULL"),
                ("image_key", "NULL"),
                ("erased_at", "e.erased_at"),
            ],
        ),
        beside_live(REFERENCE_DETAIL, LIVE_STILL, name),
        beside_live(TEMPLATE_ATTRIBUTE, LIVE_STILL, name),
        beside_live(REFERENCE_ATTRIBUTE, LIVE_STILL, name),
    ]
}

/// As [`parts_in`], of a copy that has subjects. `$3` to `$5` are the highest numbers of subjects, images and holds that there are.
pub(super) fn subjects_in() -> Vec<Part> {
    let subject = is_subject(LIVE_STILL);
    let [own, merged] =
        subjects(LIVE_STILL, &[("id", "$3 + x.id"), ("gallery", "$2"), ("merged_into", "$3 + x.merged_into")]);
    vec![
        own,
        merged,
        part(
            SUBJECT_REFERENCE,
            format!("subject_reference x JOIN subject s ON s.id = x.subject_id WHERE {subject} ORDER BY s.id"),
            &[("subject_id", "$3 + x.subject_id")],
        ),
        part(
            IMAGE,
            format!(
                "image x JOIN template t ON t.gallery = x.gallery AND t.id = x.template_id \
                 WHERE x.gallery = $1 AND {LIVE_STILL} ORDER BY x.id"
            ),
            &[("id", "$4 + x.id"), ("gallery", "$2"), ("subject_id", "$3 + x.subject_id")],
        ),
        part(
            LEGAL_HOLD,
            format!(
                "legal_hold x JOIN subject s ON s.id = x.subject_id WHERE x.gallery = $1 AND {subject} ORDER BY x.id"
            ),
            &[("id", "$5 + x.id"), ("gallery", "$2"), ("subject_id", "$3 + x.subject_id")],
        ),
    ]
}
