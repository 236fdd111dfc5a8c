//! Permission as a value: the to-do list takes a permit for everything it does, and only this file makes permits.
//! Knows nothing of tokens; a caller's scopes and roles are compared here and nowhere else.

use super::caller::Caller;
use super::fault::Refusal;
use crate::owner::{Reach, Realm};

/// What a request needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Need {
    Read,
    Write,
}

impl Need {
    /// The delegated permission to ask for when this is missing.
    pub(crate) fn scope(self) -> &'static str {
        match self {
            Self::Read => "ToDoList.Read",
            Self::Write => "ToDoList.ReadWrite",
        }
    }
}

/// What each delegated permission is good for. This table is the only place where ReadWrite implies Read.
const SCOPES: [(&str, &[Need]); 2] =
    [("ToDoList.Read", &[Need::Read]), ("ToDoList.ReadWrite", &[Need::Read, Need::Write])];

/// The same for application permissions.
const ROLES: [(&str, &[Need]); 2] =
    [("ToDoList.Read.All", &[Need::Read]), ("ToDoList.ReadWrite.All", &[Need::Read, Need::Write])];

/// Who does it, for the audit log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Actor {
    User,
    App { realm: Realm, client: String },
}

/// Leave to read whatever is in reach.
#[derive(Debug)]
pub(crate) struct ReadPermit {
    reach: Reach,
}

/// Leave to change whatever is in reach.
#[derive(Debug)]
pub(crate) struct WritePermit {
    reach: Reach,
    actor: Actor,
}

impl ReadPermit {
    pub(crate) fn of(caller: Caller) -> Result<Self, Refusal> {
        let (reach, _) = grant(caller, Need::Read)?;
        Ok(Self { reach })
    }

    pub(crate) fn reach(&self) -> &Reach {
        &self.reach
    }
}

impl WritePermit {
    pub(crate) fn of(caller: Caller) -> Result<Self, Refusal> {
        let (reach, actor) = grant(caller, Need::Write)?;
        Ok(Self { reach, actor })
    }

    pub(crate) fn reach(&self) -> &Reach {
        &self.reach
    }

    pub(crate) fn actor(&self) -> &Actor {
        &self.actor
    }
}

fn grant(caller: Caller, need: Need) -> Result<(Reach, Actor), Refusal> {
    match caller {
        Caller::User { owner, scopes } if allows(&SCOPES, &scopes, need) => {
            Ok((Reach::Own(owner), Actor::User))
        }
        Caller::App { realm, client, roles } if allows(&ROLES, &roles, need) => {
            Ok((Reach::Realm(realm.clone()), Actor::App { realm, client }))
        }
        Caller::User { .. } | Caller::App { .. } => Err(Refusal::InsufficientScope(need)),
    }
}

fn allows(table: &[(&str, &[Need])], held: &[String], need: Need) -> bool {
    table.iter().any(|(name, needs)| needs.contains(&need) && held.iter().any(|held| held == name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::owner::{Owner, Subject};
    use proptest::prelude::*;

    fn user(scopes: &[&str]) -> Caller {
        let subject = Subject::plain("alice").expect("a subject");
        let owner = Owner { realm: Realm::issuer("https://id.example"), subject };
        Caller::User { owner, scopes: scopes.iter().map(|&scope| scope.to_owned()).collect() }
    }

    fn app(roles: &[&str]) -> Caller {
        let roles = roles.iter().map(|&role| role.to_owned()).collect();
        Caller::App { realm: Realm::issuer("https://id.example"), client: "job".to_owned(), roles }
    }

    #[test]
    fn read_write_implies_read_and_nothing_else_implies_anything() {
        assert!(ReadPermit::of(user(&["ToDoList.Read"])).is_ok());
        assert!(ReadPermit::of(user(&["ToDoList.ReadWrite"])).is_ok());
        assert!(WritePermit::of(user(&["ToDoList.ReadWrite"])).is_ok());
        assert!(WritePermit::of(user(&["ToDoList.Read"])).is_err());
        assert!(ReadPermit::of(app(&["ToDoList.Read.All"])).is_ok());
        assert!(ReadPermit::of(app(&["ToDoList.ReadWrite.All"])).is_ok());
        assert!(WritePermit::of(app(&["ToDoList.ReadWrite.All"])).is_ok());
        assert!(WritePermit::of(app(&["ToDoList.Read.All"])).is_err());
    }

    #[test]
    fn a_users_scopes_and_an_apps_roles_are_not_interchangeable() {
        assert!(ReadPermit::of(user(&["ToDoList.Read.All", "ToDoList.ReadWrite.All"])).is_err());
        assert!(ReadPermit::of(app(&["ToDoList.Read", "ToDoList.ReadWrite"])).is_err());
    }

    #[test]
    fn a_user_reaches_their_own_items_and_an_app_those_of_its_realm() {
        let own = ReadPermit::of(user(&["ToDoList.Read"])).expect("allowed");
        assert_eq!(own.reach().subject().map(Subject::as_str), Some("alice"));
        let all = ReadPermit::of(app(&["ToDoList.Read.All"])).expect("allowed");
        assert_eq!(all.reach().subject(), None);
        assert_eq!(all.reach().realm().as_str(), "https://id.example");
    }

    proptest! {
        #[test]
        fn no_other_text_is_a_permission(scope in "[TtoODdLlist.RreadWwieX ]{0,22}") {
            let known = SCOPES.iter().any(|(name, _)| *name == scope);
            prop_assert_eq!(ReadPermit::of(user(&[&scope])).is_ok(), known);
        }
    }
}
