//! Whose item it is, and how far a caller's arm reaches. Knows nothing of tokens and nothing of the database.

use std::fmt;

use uuid::Uuid;

/// A person (or other principal): a name that is unique only together with the realm that vouches for it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Owner {
    pub(crate) realm: Realm,
    pub(crate) subject: Subject,
}

/// Who vouches for a subject: an Entra tenant (by its id), or an issuer (by its URL). The two cannot be mistaken for
/// one another, because a URL is never a UUID.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Realm(String);

/// A name inside a realm: an Entra object id in its canonical spelling, or an issuer's `sub`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Subject(String);

/// Which items a caller may touch at all. Everything outside does not exist for that caller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Reach {
    /// A user's: their own items, whatever roles the token may also name.
    Own(Owner),
    /// An app's with an application permission: all items of the tenant that granted it, and no other tenant's.
    Realm(Realm),
}

impl Reach {
    pub(crate) fn realm(&self) -> &Realm {
        match self {
            Self::Own(owner) => &owner.realm,
            Self::Realm(realm) => realm,
        }
    }

    /// The one subject whose items are in reach, or `None` when all of the realm's are.
    pub(crate) fn subject(&self) -> Option<&Subject> {
        match self {
            Self::Own(owner) => Some(&owner.subject),
            Self::Realm(_) => None,
        }
    }
}

impl Realm {
    pub(crate) fn tenant(id: Uuid) -> Self {
        Self(id.hyphenated().to_string())
    }

    pub(crate) fn issuer(issuer: &str) -> Self {
        Self(issuer.to_owned())
    }

    pub(crate) fn stored(text: String) -> Self {
        Self(text)
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether subjects of this realm are object ids (UUIDs), as in an Entra tenant.
    pub(crate) fn is_tenant(&self) -> bool {
        guid(&self.0).is_some()
    }

    /// Reads a subject that belongs to this realm; `None` when it cannot be one.
    pub(crate) fn subject(&self, text: &str) -> Option<Subject> {
        if self.is_tenant() { guid(text).map(Subject::object) } else { Subject::plain(text) }
    }
}

impl Subject {
    pub(crate) fn object(id: Uuid) -> Self {
        Self(id.hyphenated().to_string())
    }

    /// 1 to 255 characters, none of them a control character (OpenID Connect Core section 2 gives the length).
    pub(crate) fn plain(text: &str) -> Option<Self> {
        let fits = (1..=255).contains(&text.chars().count()) && !text.chars().any(char::is_control);
        fits.then(|| Self(text.to_owned()))
    }

    pub(crate) fn stored(text: String) -> Self {
        Self(text)
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Realm {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// Reads a GUID in its one usual spelling (36 characters with hyphens, either case). Braces, URNs and the bare 32
/// digits are refused, so that two spellings of one value are never two values somewhere else.
pub(crate) fn guid(text: &str) -> Option<Uuid> {
    (text.len() == 36).then(|| Uuid::try_parse(text).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_guid_is_compared_canonically_and_odd_spellings_are_refused() {
        let upper = "A1B2C3D4-0000-4000-8000-00000000ABCD";
        assert_eq!(guid(upper), guid(&upper.to_lowercase()));
        assert_eq!(Subject::object(guid(upper).expect("a guid")).as_str(), upper.to_lowercase());
        for odd in [
            "",
            "a1b2c3d400004000800000000000abcd",
            "{a1b2c3d4-0000-4000-8000-00000000abcd}",
            " a1b2c3d4-0000-4000-8000-00000000abc",
        ] {
            assert_eq!(guid(odd), None, "{odd:?}");
        }
    }

    #[test]
    fn a_realm_knows_what_its_subjects_look_like() {
        let tenant = Realm::tenant(Uuid::nil());
        assert!(tenant.subject("a1b2c3d4-0000-4000-8000-00000000abcd").is_some());
        assert!(tenant.subject("alice@example.com").is_none());
        let issuer = Realm::issuer("https://id.example");
        assert!(issuer.subject("alice").is_some());
        assert!(issuer.subject("").is_none());
        assert!(issuer.subject("a\u{0}b").is_none());
        assert!(issuer.subject(&"x".repeat(255)).is_some());
        assert!(issuer.subject(&"x".repeat(256)).is_none());
    }

    proptest! {
        #[test]
        fn only_hyphenated_guids_parse(text in "[0-9a-fA-F{}:-]{30,40}") {
            if let Some(id) = guid(&text) {
                prop_assert_eq!(id.hyphenated().to_string(), text.to_lowercase());
            }
        }
    }
}
