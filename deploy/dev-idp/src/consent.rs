//! Who agreed to what: permissions granted by an administrator (tenant.toml) and by each person (remembered for the
//! run). Knows nothing of pages or tokens.

use std::collections::{BTreeSet, HashMap};
use std::sync::Mutex;

use crate::people::lock;
use crate::scopes::Ask;
use crate::tenant::{Client, Tenant};

/// What each person has agreed to, by (object id, client id).
#[derive(Default)]
pub(crate) struct Consents(Mutex<HashMap<(String, String), BTreeSet<String>>>);

impl Consents {
    /// The asked scopes that neither an administrator nor this person has granted.
    pub(crate) fn missing(&self, tenant: &Tenant, client: &Client, oid: &str, ask: &Ask) -> Vec<String> {
        let given = lock(&self.0);
        let given = given.get(&(oid.to_owned(), client.client_id.clone()));
        let granted = |scope: &String| {
            client.granted_scopes.contains(scope) || given.is_some_and(|set| set.contains(scope))
        };
        ask.full_names(tenant).into_iter().filter(|scope| !granted(scope)).collect()
    }

    pub(crate) fn give(&self, tenant: &Tenant, client: &Client, oid: &str, ask: &Ask) {
        let key = (oid.to_owned(), client.client_id.clone());
        lock(&self.0).entry(key).or_default().extend(ask.full_names(tenant));
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn consent_is_asked_per_person_and_remembered() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut tenant = Tenant::load(&folder.join("tenant.toml")).expect("the shipped tenant is right");
        let consents = Consents::default();
        let client = tenant.client("todo-web").expect("registered").clone();
        let ask = Ask::parse(&tenant, &client, "openid api://todo-service/ToDoList.Read").expect("known");
        assert!(consents.missing(&tenant, &client, "alice", &ask).is_empty(), "granted by an administrator");

        tenant.client_mut("todo-web").expect("registered").granted_scopes.clear();
        let client = tenant.client("todo-web").expect("registered").clone();
        assert_eq!(consents.missing(&tenant, &client, "alice", &ask), ["api://todo-service/ToDoList.Read"]);
        consents.give(&tenant, &client, "alice", &ask);
        assert!(consents.missing(&tenant, &client, "alice", &ask).is_empty());
        assert!(!consents.missing(&tenant, &client, "bob", &ask).is_empty());
    }
}
