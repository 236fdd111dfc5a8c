//! The form of one step: labelled fields, an error summary that leads to them, one button. Knows nothing of what the
//! fields mean.

use std::fmt::Write as _;

use super::{document, escape};
use crate::user_flow::Visit;

/// What is wrong with what was typed: one sentence per field.
#[derive(Default)]
pub(crate) struct Errors(Vec<(&'static str, String)>);

impl Errors {
    pub(crate) fn one(field: &'static str, why: &str) -> Self {
        Self(vec![(field, why.to_owned())])
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn of(&self, field: &str) -> Option<&str> {
        self.0.iter().find(|(name, _)| *name == field).map(|(_, why)| why.as_str())
    }

    fn summary(&self) -> String {
        if self.is_empty() {
            return String::new();
        }
        let mut items = String::new();
        for (field, why) in &self.0 {
            let _ = write!(items, "<li><a href=\"#{field}\">{}</a></li>", escape(why));
        }
        format!("<div class=\"summary\" role=\"alert\"><h2>There is a problem</h2><ul>{items}</ul></div>")
    }
}

/// One labelled input.
pub(crate) struct Field {
    name: &'static str,
    label: &'static str,
    /// Attributes that are ours, not the person's.
    attributes: &'static str,
    autocomplete: &'static str,
    value: String,
    hint: &'static str,
}

impl Field {
    pub(crate) fn email(value: &str) -> Self {
        Self {
            name: "email",
            label: "Email address",
            attributes: "type=\"email\" inputmode=\"email\" autocapitalize=\"none\" spellcheck=\"false\" required",
            autocomplete: "username",
            value: value.to_owned(),
            hint: "",
        }
    }

    /// The address that is settled: shown, sent along for password managers, not to be changed here.
    pub(crate) fn known_email(value: &str) -> Self {
        Self { attributes: "type=\"email\" readonly", ..Self::email(value) }
    }

    pub(crate) fn password(label: &'static str, autocomplete: &'static str, hint: &'static str) -> Self {
        let attributes = "type=\"password\" required";
        Self { name: "password", label, attributes, autocomplete, value: String::new(), hint }
    }

    pub(crate) fn code() -> Self {
        Self {
            name: "code",
            label: "Code",
            attributes: "type=\"text\" inputmode=\"numeric\" class=\"digits\" maxlength=\"16\" required",
            autocomplete: "one-time-code",
            value: String::new(),
            hint: "It works for ten minutes.",
        }
    }

    pub(crate) fn name(value: &str) -> Self {
        Self {
            name: "name",
            label: "Display name",
            attributes: "type=\"text\" maxlength=\"100\" required",
            autocomplete: "name",
            value: value.to_owned(),
            hint: "",
        }
    }

    fn html(&self, error: Option<&str>, focus: bool) -> String {
        let name = self.name;
        let mut described = Vec::new();
        let mut notes = String::new();
        if !self.hint.is_empty() {
            let _ = write!(notes, "<p class=\"hint\" id=\"{name}-hint\">{}</p>", escape(self.hint));
            described.push(format!("{name}-hint"));
        }
        if let Some(why) = error {
            let _ = write!(notes, "<p class=\"error\" id=\"{name}-error\">{}</p>", escape(why));
            described.push(format!("{name}-error"));
        }
        let described = match described.as_slice() {
            [] => String::new(),
            ids => format!(" aria-describedby=\"{}\"", ids.join(" ")),
        };
        let invalid = if error.is_some() { " aria-invalid=\"true\"" } else { "" };
        let focus = if focus { " autofocus" } else { "" };
        format!(
            "<div class=\"field\"><label for=\"{name}\">{}</label>{notes}<input id=\"{name}\" name=\"{name}\" {} \
             autocomplete=\"{}\" value=\"{}\"{described}{invalid}{focus}></div>",
            self.label,
            self.attributes,
            self.autocomplete,
            escape(&self.value)
        )
    }
}

/// The form of one step.
pub(crate) struct Form<'a> {
    pub(crate) visit: &'a Visit<'a>,
    /// Where it posts to, below `/flow/<id>/`.
    pub(crate) step: &'a str,
    pub(crate) title: &'a str,
    /// HTML below the title.
    pub(crate) lead: String,
    pub(crate) fields: Vec<Field>,
    pub(crate) submit: &'a str,
    /// HTML below the form.
    pub(crate) after: String,
}

impl Form<'_> {
    pub(crate) fn page(&self, errors: &Errors) -> String {
        self.page_with(errors, &format!("<button>{}</button>", self.submit))
    }

    /// The page with other buttons.
    pub(crate) fn page_with(&self, errors: &Errors, buttons: &str) -> String {
        let first = self.fields.iter().find(|field| errors.of(field.name).is_some());
        let first = first.or_else(|| self.fields.iter().find(|field| !field.attributes.contains("readonly")));
        let fields: String = self
            .fields
            .iter()
            .map(|field| {
                field.html(errors.of(field.name), first.is_some_and(|first| first.name == field.name))
            })
            .collect();
        let csrf = escape(&self.visit.browser.csrf);
        let id = self.visit.id;
        let title = escape(self.title);
        // The consent page has its own way to say no.
        let after = if self.step == "consent" {
            String::new()
        } else {
            format!(
                "<div class=\"after\">{}<form method=\"post\" action=\"/flow/{id}/cancel\">\
                 <input type=\"hidden\" name=\"csrf\" value=\"{csrf}\"><button class=\"link\">Cancel</button></form></div>",
                self.after
            )
        };
        let main = format!(
            "<section class=\"card\">{summary}<h1>{title}</h1><p class=\"lead\">{lead}</p>\
             <form method=\"post\" action=\"/flow/{id}/{step}\" novalidate>\
             <input type=\"hidden\" name=\"csrf\" value=\"{csrf}\">{fields}{buttons}</form>\
             {after}</section>",
            summary = errors.summary(),
            lead = self.lead,
            step = self.step,
        );
        let title = if errors.is_empty() { self.title.to_owned() } else { format!("Error: {}", self.title) };
        document(self.visit.tenant, &title, &main)
    }
}
