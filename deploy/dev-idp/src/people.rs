//! The accounts of this run: who exists, their passwords (argon2id hashes only) and roles. Knows nothing of sessions,
//! pages or tokens.

pub(crate) mod codes;
pub(crate) mod mailbox;

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

use argon2::Argon2;
use argon2::password_hash::{PasswordHash, PasswordHasher as _, PasswordVerifier as _, SaltString};

use crate::random;
use crate::tenant::SeedAccount;

/// Shortest acceptable password, in characters.
pub(crate) const SHORTEST_PASSWORD: usize = 8;
/// Longest acceptable password: hashing must not become a weapon.
const LONGEST_PASSWORD: usize = 256;
/// Wrong passwords in a row before an account must wait, and for how many seconds.
const PASSWORD_TRIES: u32 = 10;
const PASSWORD_PAUSE: i64 = 60;

/// A person with an account.
#[derive(Clone)]
pub(crate) struct Account {
    pub(crate) oid: String,
    pub(crate) email: String,
    pub(crate) name: String,
    pub(crate) app_roles: BTreeMap<String, Vec<String>>,
    pub(crate) groups: Vec<String>,
    hash: String,
}

/// What came of a password.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum PasswordCheck {
    /// Right; the account's object id.
    Right(String),
    /// No such account, or not its password: which of the two is not said.
    Wrong,
    /// Too many wrong ones; wait a minute.
    Pause,
}

/// Why an account or password is not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unacceptable {
    #[error("Use at least 8 characters.")]
    PasswordTooShort,
    #[error("Use at most 256 characters.")]
    PasswordTooLong,
    #[error("The password must not be your email address.")]
    PasswordIsEmail,
    #[error("There is an account with this email address already.")]
    Exists,
}

/// All accounts.
pub(crate) struct People {
    accounts: Mutex<HashMap<String, Account>>,
    tries: Mutex<HashMap<String, (u32, i64)>>,
    nobody: String,
}

impl People {
    /// Hashes the seeds' passwords: tens of milliseconds each, so not on a runtime thread.
    pub(crate) fn new(tenant_id: &str, seeds: &[SeedAccount]) -> Self {
        let accounts = seeds.iter().map(|seed| {
            let account = Account {
                oid: seed.oid.clone().unwrap_or_else(|| random::stable_guid(&[tenant_id, &seed.email])),
                email: seed.email.clone(),
                name: seed.name.clone(),
                app_roles: seed.app_roles.clone(),
                groups: seed.groups.clone(),
                hash: hash(&seed.password),
            };
            (account.oid.clone(), account)
        });
        let accounts: HashMap<_, _> = accounts.collect();
        // Unknown addresses are checked against a hash of the same cost, so that time does not tell who exists.
        let nobody = accounts.values().next().map_or_else(|| hash(&random::token()), |a| a.hash.clone());
        Self { accounts: Mutex::new(accounts), tries: Mutex::default(), nobody }
    }

    pub(crate) fn by_oid(&self, oid: &str) -> Option<Account> {
        self.accounts().get(oid).cloned()
    }

    pub(crate) fn by_email(&self, email: &str) -> Option<Account> {
        self.accounts().values().find(|account| account.email == email).cloned()
    }

    /// Compares a password. Slow on purpose: call it off the runtime's threads.
    pub(crate) fn check(&self, email: &str, password: &str, now: i64) -> PasswordCheck {
        if self.must_wait(email, now) {
            return PasswordCheck::Pause;
        }
        let account = self.by_email(email);
        let stored = account.as_ref().map_or(&self.nobody, |account| &account.hash);
        let right = password.len() <= LONGEST_PASSWORD * 4
            && PasswordHash::new(stored)
                .is_ok_and(|hash| Argon2::default().verify_password(password.as_bytes(), &hash).is_ok());
        match account {
            Some(account) if right => {
                lock(&self.tries).remove(email);
                PasswordCheck::Right(account.oid)
            }
            _ => {
                self.count_wrong(email, now);
                PasswordCheck::Wrong
            }
        }
    }

    fn must_wait(&self, email: &str, now: i64) -> bool {
        let mut tries = lock(&self.tries);
        tries.retain(|_, (_, last)| now - *last < PASSWORD_PAUSE);
        tries.get(email).is_some_and(|(count, _)| *count >= PASSWORD_TRIES)
    }

    fn count_wrong(&self, email: &str, now: i64) {
        let mut tries = lock(&self.tries);
        let entry = tries.entry(email.to_owned()).or_insert((0, now));
        *entry = (entry.0 + 1, now);
    }

    /// Makes an account. Slow on purpose, like `check`.
    pub(crate) fn create(&self, email: &str, name: &str, password: &str) -> Result<String, Unacceptable> {
        acceptable(email, password)?;
        let hash = hash(password);
        let mut accounts = self.accounts();
        if accounts.values().any(|account| account.email == email) {
            return Err(Unacceptable::Exists);
        }
        let oid = random::guid();
        let (email, name) = (email.to_owned(), name.to_owned());
        let (app_roles, groups) = (BTreeMap::new(), Vec::new());
        let account = Account { oid: oid.clone(), email, name, app_roles, groups, hash };
        accounts.insert(oid.clone(), account);
        Ok(oid)
    }

    /// Sets a new password and gives the account's object id, if there is such an account.
    pub(crate) fn set_password(&self, email: &str, password: &str) -> Result<Option<String>, Unacceptable> {
        acceptable(email, password)?;
        let hash = hash(password);
        let mut accounts = self.accounts();
        let Some(account) = accounts.values_mut().find(|account| account.email == email) else {
            return Ok(None);
        };
        account.hash = hash;
        lock(&self.tries).remove(email);
        Ok(Some(account.oid.clone()))
    }

    /// Replaces the roles a person has in one app; false if there is no such account.
    pub(crate) fn assign(&self, email: &str, app: &str, roles: Vec<String>) -> bool {
        let mut accounts = self.accounts();
        let Some(account) = accounts.values_mut().find(|account| account.email == email) else {
            return false;
        };
        account.app_roles.insert(app.to_owned(), roles);
        true
    }

    /// Replaces the groups a person is a member of; false if there is no such account.
    pub(crate) fn join(&self, email: &str, groups: Vec<String>) -> bool {
        let mut accounts = self.accounts();
        let Some(account) = accounts.values_mut().find(|account| account.email == email) else {
            return false;
        };
        account.groups = groups;
        true
    }

    fn accounts(&self) -> MutexGuard<'_, HashMap<String, Account>> {
        lock(&self.accounts)
    }
}

/// An e-mail address in the form accounts are looked up by, or nothing if it cannot be one.
pub(crate) fn email(text: &str) -> Option<String> {
    let address = text.trim().to_lowercase();
    let (local, domain) = address.split_once('@')?;
    let clean = |part: &str| {
        !part.is_empty()
            && !part.contains(|c: char| c.is_whitespace() || c.is_control() || "@<>\"',;:\\".contains(c))
    };
    (clean(local) && clean(domain) && address.len() <= 254).then_some(address)
}

/// A display name without control characters, 1 to 100 characters.
pub(crate) fn display_name(text: &str) -> Option<String> {
    let name = text.trim();
    let good = !name.is_empty() && name.chars().count() <= 100 && !name.chars().any(char::is_control);
    good.then(|| name.to_owned())
}

fn acceptable(email: &str, password: &str) -> Result<(), Unacceptable> {
    match password.chars().count() {
        count if count < SHORTEST_PASSWORD => Err(Unacceptable::PasswordTooShort),
        count if count > LONGEST_PASSWORD => Err(Unacceptable::PasswordTooLong),
        _ if password.to_lowercase() == email => Err(Unacceptable::PasswordIsEmail),
        _ => Ok(()),
    }
}

fn hash(password: &str) -> String {
    let salt = SaltString::encode_b64(&random::bytes::<16>()).expect("16 bytes are a salt");
    Argon2::default()
        .hash_password(password.as_bytes(), &salt)
        .expect("the default parameters are valid")
        .to_string()
}

/// Locks; a holder that panicked leaves data that is still whole, since every change is a single step.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alice() -> People {
        let seed = SeedAccount {
            email: "alice@example.com".to_owned(),
            name: "Alice Adams".to_owned(),
            password: "correct-horse-battery".to_owned(),
            oid: None,
            app_roles: BTreeMap::new(),
            groups: Vec::new(),
        };
        People::new("tenant", &[seed])
    }

    #[test]
    fn the_right_password_is_right_and_others_are_wrong() {
        let people = alice();
        let oid = people.by_email("alice@example.com").expect("seeded").oid;
        assert_eq!(people.check("alice@example.com", "correct-horse-battery", 0), PasswordCheck::Right(oid));
        assert_eq!(people.check("alice@example.com", "correct-horse-batterx", 0), PasswordCheck::Wrong);
        assert_eq!(people.check("nobody@example.com", "correct-horse-battery", 0), PasswordCheck::Wrong);
    }

    #[test]
    fn many_wrong_passwords_make_an_account_wait_a_minute() {
        let people = alice();
        for _ in 0..PASSWORD_TRIES {
            assert_eq!(people.check("alice@example.com", "wrong-password", 0), PasswordCheck::Wrong);
        }
        assert_eq!(people.check("alice@example.com", "correct-horse-battery", 1), PasswordCheck::Pause);
        assert!(matches!(
            people.check("alice@example.com", "correct-horse-battery", 61),
            PasswordCheck::Right(_)
        ));
    }

    #[test]
    fn an_account_is_created_once_and_with_a_usable_password() {
        let people = alice();
        assert_eq!(people.create("zoe@example.com", "Zoe", "short"), Err(Unacceptable::PasswordTooShort));
        assert_eq!(
            people.create("zoe@example.com", "Zoe", "zoe@example.com"),
            Err(Unacceptable::PasswordIsEmail)
        );
        assert!(people.create("zoe@example.com", "Zoe", "long-enough").is_ok());
        assert_eq!(people.create("zoe@example.com", "Zoe", "long-enough"), Err(Unacceptable::Exists));
        assert_eq!(people.set_password("nobody@example.com", "long-enough"), Ok(None));
        assert!(matches!(people.set_password("zoe@example.com", "another-one"), Ok(Some(_))));
        assert!(matches!(people.check("zoe@example.com", "another-one", 0), PasswordCheck::Right(_)));
    }

    #[test]
    fn seeded_object_ids_are_the_same_at_every_start() {
        let oid = |people: People| people.by_email("alice@example.com").expect("seeded").oid;
        assert_eq!(oid(alice()), oid(alice()));
    }

    #[test]
    fn addresses_are_trimmed_lowered_and_checked() {
        assert_eq!(email(" Zoe@Example.COM "), Some("zoe@example.com".to_owned()));
        for wrong in ["", "zoe", "@example.com", "zoe@", "a b@example.com", "a@b@c", "a@b\r\nBcc: x"] {
            assert_eq!(email(wrong), None, "{wrong:?}");
        }
        assert_eq!(display_name("  Zoe "), Some("Zoe".to_owned()));
        assert_eq!(display_name("a\u{0}"), None);
    }
}
