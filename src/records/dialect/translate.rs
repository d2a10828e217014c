//! The schema is written for `SQLite`, in words that PostgreSQL takes too, but for two things: triggers are functions there, and texts are
//! ordered by the language of the data base unless it is told not to.

/// A migration as PostgreSQL takes it. Of triggers it knows the one shape that migrations have: `CREATE TRIGGER name BEFORE what
/// ON table [WHEN condition] BEGIN SELECT RAISE(ABORT, 'words'); END;`.
///
/// # Errors
/// What it can't translate, for whoever writes a migration.
pub(in crate::records) fn to_postgres(text: &str) -> Result<String, String> {
    let plain: Vec<&str> = text.lines().filter(|line| !line.trim_start().starts_with("--")).collect();
    let plain = plain.join("\n");
    let mut out = String::with_capacity(plain.len() * 2);
    let mut rest = plain.as_str();
    while let Some((before, from)) = rest.split_once("CREATE TRIGGER ") {
        let (trigger, after) = from.split_once("END;").ok_or_else(|| format!("a trigger without END: {from}"))?;
        out.push_str(&ordered_by_bytes(before));
        out.push_str(&function_and_trigger(trigger)?);
        rest = after;
    }
    out.push_str(&ordered_by_bytes(rest));
    Ok(out)
}

/// `SQLite` compares texts by their bytes; every column of a text is told to.
fn ordered_by_bytes(text: &str) -> String {
    let mut out = String::with_capacity(text.len() * 2);
    let mut rest = text;
    while let Some((before, after)) = rest.split_once(" TEXT") {
        let whole = !after.starts_with(|next: char| next.is_ascii_alphanumeric() || next == '_');
        out.push_str(before);
        out.push_str(if whole { " TEXT COLLATE \"C\"" } else { " TEXT" });
        rest = after;
    }
    out.push_str(rest);
    // A word that PostgreSQL has for itself.
    out.replace(" INDEX session_user ", " INDEX \"session_user\" ")
}

fn function_and_trigger(trigger: &str) -> Result<String, String> {
    let unknown = || format!("no trigger of the shape that PostgreSQL's are made from: CREATE TRIGGER {trigger}END;");
    let (head, body) = trigger.split_once("BEGIN").ok_or_else(unknown)?;
    let words = body.trim().strip_prefix("SELECT RAISE(ABORT, '").and_then(|body| body.strip_suffix("');"));
    let words = words.ok_or_else(unknown)?;
    let (event, condition) = match head.split_once("WHEN ") {
        Some((event, condition)) => (event.trim(), condition.trim()),
        None => (head.trim(), "TRUE"),
    };
    let (name, _) = event.split_once(' ').ok_or_else(unknown)?;
    // A row that is deleted has no NEW.
    Ok(format!(
        "CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN IF {condition} THEN \
         RAISE EXCEPTION '%', '{words}' USING ERRCODE = 'integrity_constraint_violation'; END IF; \
         IF TG_OP = 'DELETE' THEN RETURN OLD; END IF; RETURN NEW; END$$;\n\
         CREATE TRIGGER {event} FOR EACH ROW EXECUTE FUNCTION {name}();"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn triggers_become_functions() {
        let text = "-- Words; with a CREATE TRIGGER in them.\nCREATE TRIGGER t_stays BEFORE DELETE ON t\n\
             BEGIN SELECT RAISE(ABORT, 'it stays'); END;\nCREATE TRIGGER t_once BEFORE UPDATE OF a, b ON t WHEN OLD.a IS NOT NULL\n\
             BEGIN SELECT RAISE(ABORT, 'once'); END;\n";
        let translated = to_postgres(text).unwrap();
        assert!(
            translated.contains("CREATE TRIGGER t_stays BEFORE DELETE ON t FOR EACH ROW EXECUTE FUNCTION t_stays();")
        );
        assert!(translated.contains("CREATE FUNCTION t_once() RETURNS trigger"));
        assert!(translated.contains("BEGIN IF OLD.a IS NOT NULL THEN RAISE EXCEPTION '%', 'once'"));
        assert!(translated.contains("CREATE TRIGGER t_once BEFORE UPDATE OF a, b ON t FOR EACH ROW"));
        assert!(!translated.contains("RAISE(ABORT"));
    }

    #[test]
    fn other_triggers_are_refused() {
        for text in [
            "CREATE TRIGGER t AFTER INSERT ON t BEGIN DELETE FROM t; END;",
            "CREATE TRIGGER t BEFORE INSERT ON t BEGIN SELECT RAISE(IGNORE); END;",
            "CREATE TRIGGER t BEFORE INSERT ON t",
        ] {
            assert!(to_postgres(text).is_err(), "{text}");
        }
    }

    #[test]
    fn columns_of_text_are_ordered_by_their_bytes() {
        let text = "CREATE TABLE t (a TEXT NOT NULL, b TEXT, text_c BIGINT, d TEXTUAL);";
        let translated = to_postgres(text).unwrap();
        assert_eq!(
            translated,
            "CREATE TABLE t (a TEXT COLLATE \"C\" NOT NULL, b TEXT COLLATE \"C\", text_c BIGINT, d TEXTUAL);"
        );
    }
}
