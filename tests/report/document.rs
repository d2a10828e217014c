//! Reads what the report writes: every element closed in order, attributes quoted, nothing else.

use std::collections::BTreeMap;

/// Elements without content.
const VOID: [&str; 1] = ["meta"];

/// One element, with the text directly or deeper in it.
#[derive(Debug, Default, Clone)]
pub(crate) struct Element {
    pub(crate) name: String,
    pub(crate) attributes: BTreeMap<String, String>,
    pub(crate) text: String,
    pub(crate) children: Vec<Element>,
}

impl Element {
    /// All elements below that have this name.
    pub(crate) fn all(&self, name: &str) -> Vec<&Element> {
        let mut found = Vec::new();
        for child in &self.children {
            if child.name == name {
                found.push(child);
            }
            found.extend(child.all(name));
        }
        found
    }

    /// The element with this id.
    pub(crate) fn by_id(&self, id: &str) -> Option<&Element> {
        if self.attribute("id") == id {
            return Some(self);
        }
        self.children.iter().find_map(|child| child.by_id(id))
    }

    pub(crate) fn attribute(&self, name: &str) -> &str {
        self.attributes.get(name).map_or("", String::as_str)
    }

    /// Unrounded values of all figures below.
    pub(crate) fn figures(&self) -> Vec<f64> {
        self.all("data").iter().map(|data| data.attribute("value").parse().unwrap()).collect()
    }
}

/// Parses a document, or says what is wrong with it.
pub(crate) fn parse(html: &str) -> Result<Element, String> {
    let mut rest = html.strip_prefix("<!DOCTYPE html>\n").ok_or("no doctype")?;
    let mut open = vec![Element::default()];
    while let Some(start) = rest.find('<') {
        let (text, tag) = rest.split_at(start);
        let raw = open.last().is_some_and(|element| element.name == "style");
        let text = if raw { text.to_owned() } else { unescaped(text)? };
        for element in &mut open {
            element.text.push_str(&text);
        }
        let end = tag.find('>').ok_or("an element without an end")?;
        let inside = &tag[1..end];
        rest = &tag[end + 1..];
        if let Some(name) = inside.strip_prefix('/') {
            let closed = open.pop().ok_or("nothing open")?;
            if closed.name != name {
                return Err(format!("{name} closed, {} open", closed.name));
            }
            open.last_mut().ok_or("nothing open")?.children.push(closed);
            continue;
        }
        let (element, alone) = element(inside)?;
        if alone || VOID.contains(&element.name.as_str()) {
            open.last_mut().ok_or("nothing open")?.children.push(element);
        } else {
            open.push(element);
        }
    }
    match (open.len(), open.pop()) {
        (1, Some(root)) => Ok(root),
        (_, last) => Err(format!("left open: {:?}", last.map(|element| element.name))),
    }
}

fn element(inside: &str) -> Result<(Element, bool), String> {
    let (inside, alone) = inside.strip_suffix('/').map_or((inside, false), |inside| (inside, true));
    let (name, mut rest) = inside.split_once(' ').unwrap_or((inside, ""));
    if name.is_empty() || !name.chars().all(|letter| letter.is_ascii_alphanumeric()) {
        return Err(format!("element {name:?}"));
    }
    let mut attributes = BTreeMap::new();
    while !rest.trim().is_empty() {
        let (attribute, quoted) = rest.trim_start().split_once("=\"").ok_or(format!("attribute {rest:?}"))?;
        let (value, after) = quoted.split_once('"').ok_or(format!("attribute {attribute}"))?;
        if attributes.insert(attribute.to_owned(), unescaped(value)?).is_some() {
            return Err(format!("attribute {attribute} twice"));
        }
        rest = after;
    }
    Ok((Element { name: name.to_owned(), attributes, ..Element::default() }, alone))
}

fn unescaped(text: &str) -> Result<String, String> {
    let mut plain = String::new();
    let mut rest = text;
    while let Some(start) = rest.find('&') {
        plain.push_str(&rest[..start]);
        let (entity, after) = rest[start + 1..].split_once(';').ok_or("an entity without an end")?;
        plain.push(match entity {
            "amp" => '&',
            "lt" => '<',
            "gt" => '>',
            "quot" => '"',
            "#39" | "apos" => '\'',
            other => return Err(format!("entity {other}")),
        });
        rest = after;
    }
    plain.push_str(rest);
    Ok(plain)
}
