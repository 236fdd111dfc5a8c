//! A list on one of the gateway's own pages: what each entry is, facts about it, a button for it. Knows nothing of what
//! is listed.

use std::fmt::Write;

use super::escape;

/// Entries, and a button for several of them at once.
pub struct List<'a> {
    /// Where the buttons' forms are posted.
    pub action: &'a str,
    /// What is listed, in this order.
    pub entries: &'a [Entry],
    /// A button beneath the list.
    pub button: Option<Button>,
}

/// One line of a list.
pub struct Entry {
    /// What it is.
    pub title: String,
    /// A word that sets it apart.
    pub mark: Option<&'static str>,
    /// Facts in words.
    pub facts: Vec<(&'static str, String)>,
    /// Moments in words, such as "5 minutes ago".
    pub moments: Vec<(&'static str, Moment)>,
    /// What can be done with it.
    pub button: Option<Button>,
}

/// A moment as people say it, and as programs read it.
pub struct Moment {
    /// The words.
    pub words: String,
    /// RFC 3339.
    pub exact: String,
}

/// A button that posts one field.
pub struct Button {
    /// The field's name and value.
    pub field: (&'static str, String),
    /// What stands on it.
    pub label: &'static str,
    /// What it is called where it is heard and not seen; begins with the label.
    pub spoken: String,
}

impl List<'_> {
    /// Writing to a String cannot fail.
    pub(super) fn html(&self) -> String {
        let mut html = String::from(r#"<ul class="entries">"#);
        for entry in self.entries {
            html.push_str(r#"<li class="entry"><div class="entry-text"><h2>"#);
            html.push_str(&escape(&entry.title));
            if let Some(mark) = entry.mark {
                let _ = write!(html, r#" <span class="entry-mark">{}</span>"#, escape(mark));
            }
            html.push_str("</h2><dl>");
            for (name, value) in &entry.facts {
                let _ = write!(html, "<div><dt>{}</dt><dd>{}</dd></div>", escape(name), escape(value));
            }
            for (name, Moment { words, exact }) in &entry.moments {
                let (name, words, exact) = (escape(name), escape(words), escape(exact));
                let _ = write!(
                    html,
                    r#"<div><dt>{name}</dt><dd><time datetime="{exact}">{words}</time></dd></div>"#
                );
            }
            html.push_str("</dl></div>");
            html.extend(entry.button.iter().map(|button| self.form(button, "")));
            html.push_str("</li>");
        }
        html.push_str("</ul>");
        html.extend(self.button.iter().map(|button| self.form(button, " class=\"entries-all\"")));
        html
    }

    fn form(&self, button: &Button, class: &str) -> String {
        let (name, value) = &button.field;
        format!(
            r#"<form method="post" action="{}"{class}><input type="hidden" name="{}" value="{}"><button aria-label="{}">{}</button></form>"#,
            escape(self.action),
            escape(name),
            escape(value),
            escape(&button.spoken),
            escape(button.label),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_text_of_a_list_is_escaped() {
        let evil = || "\"><script>'".to_owned();
        let button = || Button { field: ("end", evil()), label: "Go", spoken: evil() };
        let entry = Entry {
            title: evil(),
            mark: Some("<b>"),
            facts: vec![("Name", evil())],
            moments: vec![("When", Moment { words: evil(), exact: evil() })],
            button: Some(button()),
        };
        let html = List { action: "/x", entries: &[entry], button: Some(button()) }.html();
        assert!(!html.contains("<script>") && !html.contains("<b>"), "{html}");
        assert_eq!(html.matches("&quot;&gt;&lt;script&gt;&#39;").count(), 8, "{html}");
    }
}
