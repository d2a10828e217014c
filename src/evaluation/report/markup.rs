//! Writes HTML that is well-formed and escaped because it can't be written otherwise.

/// HTML being written. Elements close themselves; text and attributes are escaped.
#[derive(Debug, Default)]
pub(super) struct Markup {
    text: String,
}

impl Markup {
    /// An element with whatever `fill` writes into it.
    pub(super) fn element(
        &mut self,
        name: &'static str,
        attributes: &[(&'static str, &str)],
        fill: impl FnOnce(&mut Self),
    ) {
        self.open(name, attributes);
        fill(self);
        self.text.push_str("</");
        self.text.push_str(name);
        self.text.push_str(">\n");
    }

    /// An element with `text` in it.
    pub(super) fn leaf(&mut self, name: &'static str, attributes: &[(&'static str, &str)], text: &str) {
        self.element(name, attributes, |inner| inner.text(text));
    }

    /// An element that never has content, such as `meta`.
    pub(super) fn void(&mut self, name: &'static str, attributes: &[(&'static str, &str)]) {
        self.open(name, attributes);
        self.text.push('\n');
    }

    /// Text, escaped.
    pub(super) fn text(&mut self, text: &str) {
        escape_into(&mut self.text, text);
    }

    /// What this room itself made: style sheets, drawings. Never text from data.
    pub(super) fn trusted(&mut self, markup: &str) {
        self.text.push_str(markup);
    }

    /// What was written.
    pub(super) fn finish(self) -> String {
        self.text
    }

    fn open(&mut self, name: &str, attributes: &[(&'static str, &str)]) {
        self.text.push('<');
        self.text.push_str(name);
        for (attribute, value) in attributes {
            self.text.push(' ');
            self.text.push_str(attribute);
            self.text.push_str("=\"");
            escape_into(&mut self.text, value);
            self.text.push('"');
        }
        self.text.push('>');
    }
}

/// Appends `text` so that it can't end an element, an attribute or a line's direction.
fn escape_into(out: &mut String, text: &str) {
    for letter in text.chars() {
        match letter {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            other => out.push(visible(other)),
        }
    }
}

/// Control characters and those that turn the direction of writing become a visible mark: with them a name could forge others.
pub(super) fn visible(letter: char) -> char {
    let turns = matches!(letter, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    if letter.is_control() || turns { char::REPLACEMENT_CHARACTER } else { letter }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_attributes_can_not_become_markup() {
        let hostile = "</td><script>alert('x')</script>\"&\u{202e}\n";
        let mut markup = Markup::default();
        markup.leaf("td", &[("title", hostile)], hostile);
        let escaped = "&lt;/td&gt;&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;&quot;&amp;\u{fffd}\u{fffd}";
        assert_eq!(markup.finish(), format!("<td title=\"{escaped}\">{escaped}</td>\n"));
    }
}
