//! What clients may send, field by field: every mistake is reported at once. Knows nothing of who sends it.

use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::body::JsonBody;
use super::refused::owner_not_settable;
use crate::problem::{FieldError, Problem};
use crate::todo::{Change, Description, DescriptionFault, Draft, MAX_CHARACTERS};

/// A new item.
#[derive(Debug, ToSchema)]
pub(super) struct NewItem {
    /// What is to be done: one line of 1 to 500 characters.
    #[schema(min_length = 1, max_length = 500, example = "Buy milk")]
    description: String,
    /// Whether it is done already.
    #[schema(default = false)]
    done: Option<bool>,
    /// Whose item it is. For apps only, and needed from them.
    owner: Option<String>,
}

/// What is to change; what is left out stays.
#[derive(Debug, ToSchema)]
pub(super) struct ItemChange {
    /// What is to be done: one line of 1 to 500 characters.
    #[schema(min_length = 1, max_length = 500, example = "Buy oat milk")]
    description: Option<String>,
    /// Whether it is done.
    done: Option<bool>,
}

/// All that can be changed about an item.
#[derive(Debug, ToSchema)]
pub(super) struct ItemReplacement {
    /// What is to be done: one line of 1 to 500 characters.
    #[schema(min_length = 1, max_length = 500, example = "Buy oat milk")]
    description: String,
    /// Whether it is done.
    done: bool,
}

impl NewItem {
    pub(super) fn read(body: JsonBody) -> Result<Self, Problem> {
        let mut fields = Fields::of(body);
        let description = fields.needed("description", Fields::text);
        let done = fields.flag("done");
        let owner = fields.text("owner");
        fields.finish()?;
        Ok(Self { description: description.unwrap_or_default(), done, owner })
    }

    pub(super) fn draft(self) -> Result<Draft, Problem> {
        let description = description(&self.description)?;
        Ok(Draft { description, done: self.done.unwrap_or(false), owner: self.owner })
    }
}

impl ItemChange {
    pub(super) fn read(body: JsonBody) -> Result<Self, Problem> {
        let mut fields = Fields::of_existing(body)?;
        let change = Self { description: fields.text("description"), done: fields.flag("done") };
        fields.finish()?;
        Ok(change)
    }

    pub(super) fn change(self) -> Result<Change, Problem> {
        if self.description.is_none() && self.done.is_none() {
            let detail = "Name at least one of `description` and `done`.";
            return Err(Problem::validation(vec![FieldError::new("description", "required", detail)]));
        }
        let description = self.description.as_deref().map(description).transpose()?;
        Ok(Change { description, done: self.done })
    }
}

impl ItemReplacement {
    pub(super) fn read(body: JsonBody) -> Result<Self, Problem> {
        let mut fields = Fields::of_existing(body)?;
        let description = fields.needed("description", Fields::text);
        let done = fields.needed("done", Fields::flag);
        fields.finish()?;
        Ok(Self { description: description.unwrap_or_default(), done: done.unwrap_or_default() })
    }

    pub(super) fn change(self) -> Result<Change, Problem> {
        Ok(Change { description: Some(description(&self.description)?), done: Some(self.done) })
    }
}

pub(super) fn owner_invalid() -> FieldError {
    FieldError::new(
        "owner",
        "invalid",
        "This cannot be a user of the app's tenant: give the user's object id.",
    )
}

fn description(text: &str) -> Result<Description, Problem> {
    Description::parse(text).map_err(|fault| {
        let code = match fault {
            DescriptionFault::Empty => "empty",
            DescriptionFault::TooLong => "too_long",
            DescriptionFault::ControlCharacter => "control_character",
        };
        Problem::validation(vec![FieldError::new("description", code, fault.to_string())])
    })
}

/// The members of a body, taken one by one; what is wrong is remembered, what is left at the end is unknown.
struct Fields {
    members: Map<String, Value>,
    errors: Vec<FieldError>,
}

impl Fields {
    fn of(JsonBody(members): JsonBody) -> Self {
        Self { members, errors: Vec::new() }
    }

    /// For items that exist: their owner is settled.
    fn of_existing(body: JsonBody) -> Result<Self, Problem> {
        if body.0.contains_key("owner") {
            return Err(owner_not_settable("The owner of an item does not change: leave `owner` out."));
        }
        Ok(Self::of(body))
    }

    fn needed<T>(&mut self, name: &'static str, take: fn(&mut Self, &'static str) -> Option<T>) -> Option<T> {
        if !self.members.contains_key(name) {
            self.errors.push(FieldError::new(name, "required", "This field is needed."));
        }
        take(self, name)
    }

    fn text(&mut self, name: &'static str) -> Option<String> {
        match self.members.remove(name)? {
            Value::String(text) => Some(text),
            _ => self.wrong_type(name, "This field must be a text."),
        }
    }

    fn flag(&mut self, name: &'static str) -> Option<bool> {
        match self.members.remove(name)? {
            Value::Bool(flag) => Some(flag),
            _ => self.wrong_type(name, "This field must be true or false."),
        }
    }

    fn wrong_type<T>(&mut self, name: &'static str, detail: &'static str) -> Option<T> {
        self.errors.push(FieldError::new(name, "type", detail));
        None
    }

    fn finish(mut self) -> Result<(), Problem> {
        let mut unknown: Vec<&String> = self.members.keys().collect();
        unknown.sort_unstable();
        for name in unknown.into_iter().take(10) {
            // Cut short: an error answer is no place for somebody's kilobytes.
            let name: String = name.chars().take(64).collect();
            self.errors.push(FieldError::new(name, "unknown", "There is no such field."));
        }
        if self.errors.is_empty() { Ok(()) } else { Err(Problem::validation(self.errors)) }
    }
}

/// Keeps the number in the schema's words honest.
const _: () = assert!(MAX_CHARACTERS == 500, "the schemas above say 500");

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn body(value: Value) -> JsonBody {
        let Value::Object(members) = value else { panic!("an object") };
        JsonBody(members)
    }

    fn errors(problem: &Problem) -> Vec<String> {
        let document = serde_json::to_value(problem.document("r")).expect("serialises");
        let errors = document["errors"].as_array().cloned().unwrap_or_default();
        errors.iter().map(|error| format!("{} {}", error["field"], error["code"]).replace('"', "")).collect()
    }

    #[test]
    fn all_mistakes_are_reported_at_once() {
        let problem =
            NewItem::read(body(json!({ "done": "yes", "id": 1, "colour": 2 }))).expect_err("mistakes");
        assert_eq!(errors(&problem), ["description required", "done type", "colour unknown", "id unknown"]);
    }

    #[test]
    fn null_is_not_a_value() {
        let problem = ItemChange::read(body(json!({ "description": null }))).expect_err("a mistake");
        assert_eq!(errors(&problem), ["description type"]);
    }

    #[test]
    fn a_change_must_change_something_and_a_replacement_everything() {
        let nothing = ItemChange::read(body(json!({}))).and_then(ItemChange::change).expect_err("a mistake");
        assert_eq!(errors(&nothing), ["description required"]);
        let half = ItemReplacement::read(body(json!({ "description": "x" }))).expect_err("a mistake");
        assert_eq!(errors(&half), ["done required"]);
        let whole = ItemReplacement::read(body(json!({ "description": "x", "done": true })));
        assert!(whole.and_then(ItemReplacement::change).is_ok());
    }

    proptest! {
        #[test]
        fn a_new_item_has_a_proper_description_or_is_refused(text in ".{0,20}", done in any::<bool>()) {
            let draft = NewItem::read(body(json!({ "description": text, "done": done }))).and_then(NewItem::draft);
            prop_assert_eq!(draft.is_ok(), Description::parse(&text).is_ok());
        }
    }
}
