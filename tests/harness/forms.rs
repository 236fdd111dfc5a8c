//! Reading the forms of a page: enough HTML for pages that we wrote ourselves. Not a parser for anybody else's.

/// A form of a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Form {
    /// Where it goes, as written.
    pub action: String,
    /// Inputs and buttons: type, name and value.
    pub(crate) controls: Vec<Control>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Control {
    pub(crate) button: bool,
    pub(crate) name: String,
    pub(crate) value: String,
}

impl Form {
    /// Whether there is an input of that name.
    pub fn has(&self, name: &str) -> bool {
        self.controls.iter().any(|control| control.name == name && !control.button)
    }

    /// What stands in the input of that name.
    pub fn value(&self, name: &str) -> Option<&str> {
        self.controls.iter().find(|control| control.name == name).map(|control| control.value.as_str())
    }

    /// The fields as they would be sent with `filled` typed in and the button `button` pressed, if it has a name.
    pub(crate) fn fields(
        &self,
        filled: &[(&str, &str)],
        button: Option<(&str, &str)>,
    ) -> Vec<(String, String)> {
        let typed = |name: &str| {
            filled.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        };
        let inputs = self.controls.iter().filter(|control| !control.button && !control.name.is_empty());
        let mut fields: Vec<(String, String)> = inputs
            .map(|input| (input.name.clone(), typed(&input.name).unwrap_or_else(|| input.value.clone())))
            .collect();
        if let Some((name, value)) = button {
            fields.push((name.to_owned(), value.to_owned()));
        }
        fields
    }

    /// The first button that says something, such as `decision=accept`.
    pub(crate) fn first_button(&self) -> Option<(&str, &str)> {
        self.controls
            .iter()
            .find(|control| control.button && !control.name.is_empty())
            .map(|control| (control.name.as_str(), control.value.as_str()))
    }
}

/// Every form of the page, in order.
pub(crate) fn read(html: &str) -> Vec<Form> {
    let mut forms: Vec<Form> = Vec::new();
    let mut inside = false;
    for tag in tags(html) {
        let name = tag.split_ascii_whitespace().next().unwrap_or_default();
        match name {
            "form" => {
                inside = true;
                forms.push(Form {
                    action: attribute(tag, "action").unwrap_or_default(),
                    controls: Vec::new(),
                });
            }
            "/form" => inside = false,
            "input" | "button" if inside => {
                let control = Control {
                    button: name == "button" || attribute(tag, "type").as_deref() == Some("submit"),
                    name: attribute(tag, "name").unwrap_or_default(),
                    value: attribute(tag, "value").unwrap_or_default(),
                };
                if let Some(form) = forms.last_mut() {
                    form.controls.push(control);
                }
            }
            _ => {}
        }
    }
    forms
}

/// The inside of every tag.
fn tags(html: &str) -> impl Iterator<Item = &str> {
    html.split('<').skip(1).filter_map(|rest| {
        // An attribute's value may hold a `>` only in quotes; our pages escape it.
        rest.split('>').next()
    })
}

fn attribute(tag: &str, name: &str) -> Option<String> {
    let mut rest = tag;
    while let Some(at) = rest.find(name) {
        let before = rest[..at].chars().next_back();
        let after = &rest[at + name.len()..];
        if before.is_some_and(char::is_whitespace)
            && let Some(quoted) = after.strip_prefix("=\"")
        {
            return quoted.split('"').next().map(unescape);
        }
        rest = after;
    }
    None
}

fn unescape(text: &str) -> String {
    text.replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&quot;", "\"")
        .replace("&#39;", "'")
        .replace("&amp;", "&")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_is_filled_in_and_its_button_pressed() {
        let html = r#"<form method="post" action="/a?x=1&amp;y=2"><input type="hidden" name="csrf" value="c&quot;">
            <input id="email" name="email" value=""><button name="decision" value="accept">Yes</button></form>
            <form action="/cancel"><input name="csrf" value="c"><button>No</button></form>"#;
        let forms = read(html);
        assert_eq!(forms.len(), 2);
        assert_eq!(forms[0].action, "/a?x=1&y=2");
        let fields = forms[0].fields(&[("email", "a@b")], forms[0].first_button());
        let expected = [("csrf", "c\""), ("email", "a@b"), ("decision", "accept")];
        assert_eq!(fields, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
        assert_eq!(forms[1].first_button(), None);
    }
}
