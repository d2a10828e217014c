//! What changes from one policy to another, in words: a line for each place that the files name.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::policy::Policy;

impl Policy {
    /// What is otherwise in `other`, in lines, by place; empty where both say the same.
    ///
    /// # Errors
    /// In words; only for a defect of this program.
    pub fn changes_to(&self, other: &Self) -> Result<Vec<String>, String> {
        let (mut before, mut after) = (BTreeMap::new(), BTreeMap::new());
        flatten(String::new(), self.value()?, &mut before);
        flatten(String::new(), other.value()?, &mut after);
        let mut lines = Vec::new();
        for (place, was) in &before {
            match after.get(place) {
                None => lines.push(format!("{place}: gone; it was {}", in_words(was))),
                Some(is) if is != was => lines.push(format!("{place}: {}", change(was, is))),
                Some(_same) => {}
            }
        }
        let new = after.iter().filter(|(place, _)| !before.contains_key(*place));
        lines.extend(new.map(|(place, is)| format!("{place}: new, {}", in_words(is))));
        lines.sort();
        Ok(lines)
    }
}

/// Each value that is no object, by where it stands.
fn flatten(place: String, value: Value, into: &mut BTreeMap<String, Value>) {
    match value {
        Value::Object(members) => {
            for (key, value) in members {
                // Patterns are quoted, as a file must quote them.
                let plain = key.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-');
                let key = if plain { key } else { format!("{key:?}") };
                let place = if place.is_empty() { key } else { format!("{place}.{key}") };
                flatten(place, value, into);
            }
        }
        plain @ (Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_)) => {
            into.insert(place, plain);
        }
    }
}

fn change(was: &Value, is: &Value) -> String {
    if let (Value::Array(was), Value::Array(is)) = (was, is) {
        let without =
            was.iter().filter(|member| !is.contains(member)).map(|member| format!("without {}", in_words(member)));
        let with = is.iter().filter(|member| !was.contains(member)).map(|member| format!("with {}", in_words(member)));
        let parts: Vec<String> = without.chain(with).collect();
        let whole = in_words(&Value::Array(is.clone()));
        let parts = if parts.is_empty() { "in another order".to_owned() } else { parts.join(", ") };
        return format!("{parts}; now {whole}");
    }
    format!("{}, was {}", in_words(is), in_words(was))
}

fn in_words(value: &Value) -> String {
    match value {
        Value::Null => "nothing".to_owned(),
        Value::Bool(yes) => if *yes { "yes" } else { "no" }.to_owned(),
        Value::Number(number) => number.to_string(),
        Value::String(text) if text.is_empty() => "nothing".to_owned(),
        Value::String(text) => text.clone(),
        Value::Array(members) if members.is_empty() => "none".to_owned(),
        Value::Array(members) => members.iter().map(in_words).collect::<Vec<_>>().join(", "),
        Value::Object(_) => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::parse::BUILTIN;

    #[test]
    fn changes_are_told_by_place_and_in_words() {
        let before = Policy::builtin().unwrap();
        let text = BUILTIN
            .replace("consultation = [\"reason\"]", "consultation = []")
            .replace("probe = \"31d\"", "probe = \"14d\"")
            .replace("blind_rank = true", "blind_rank = false")
            .replace("evaluator = 1000", "")
            .replace("\"*\" = \"either_way\"", "custody = \"indictable\"")
            .replace("\"none\", \"summary\"", "\"summary\", \"none\"")
            .replace("[mfa]\nroles = [\"supervisor\"", "[mfa]\nroles = [\"auditor\"");
        let after = Policy::parse(&text, "x").unwrap();
        let wanted = [
            "lists.evaluator: gone; it was 1000",
            "mfa.roles: without supervisor, with auditor; now auditor, administrator",
            "purposes.investigate_crime.galleries.\"*\": gone; it was either_way",
            "purposes.investigate_crime.galleries.custody: new, indictable",
            "require.consultation: without reason; now none",
            "retention.search.probe: 14d, was 31d",
            "review.blind_rank: no, was yes",
            "seriousness.order: in another order; now summary, none, either_way, indictable, threat_to_life",
        ];
        assert_eq!(before.changes_to(&after).unwrap(), wanted);
        assert_eq!(before.changes_to(&before).unwrap(), [""; 0]);
    }
}
