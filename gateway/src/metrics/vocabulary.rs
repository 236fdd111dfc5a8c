//! The closed vocabularies of labels. The words are stable: people build alerts on them.

use crate::session::ending::Ending;

/// A vocabulary whose words are all known.
pub(super) trait Word: Copy + PartialEq + 'static {
    fn all() -> &'static [Self];
    fn word(self) -> &'static str;
}

/// Makes an enum, its list and its words in one go, so that none is forgotten.
macro_rules! vocabulary {
    ($(#[$about:meta])* $name:ident { $($(#[$meaning:meta])* $variant:ident = $word:literal,)+ }) => {
        $(#[$about])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $name {
            $($(#[$meaning])* $variant,)+
        }

        impl $name {
            /// Every word.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The stable word, in snake case.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)+
                }
            }
        }

        impl Word for $name {
            fn all() -> &'static [Self] {
                Self::ALL
            }

            fn word(self) -> &'static str {
                self.as_str()
            }
        }
    };
}

vocabulary! {
    /// What came of the wish to renew an access token.
    RefreshResult {
        /// The provider gave a new one.
        Refreshed = "refreshed",
        /// Another gateway had got one meanwhile, which was taken over.
        Shared = "shared",
        /// The person has to agree first.
        ConsentRequired = "consent_required",
        /// The provider no longer honours the refresh token: the session ended.
        InvalidGrant = "invalid_grant",
        /// It was somebody else's: the session ended.
        IdentityMismatch = "identity_mismatch",
        /// The provider could not be reached or asked to come back later.
        Transient = "transient",
        /// The provider answered nonsense, or refuses this client.
        Broken = "broken",
        /// The session store could not be used.
        StoreUnavailable = "store_unavailable",
    }
}

vocabulary! {
    /// What the place that keeps sessions was asked.
    Operation {
        /// To keep a new session.
        Create = "create",
        /// For one session.
        Load = "load",
        /// To keep a session's next version.
        Replace = "replace",
        /// To note when sessions were used.
        Touch = "touch",
        /// To end sessions.
        End = "end",
        /// Which sessions a person or a sign-in has.
        Find = "find",
        /// What may be seen of sessions.
        List = "list",
        /// For part of all sessions.
        Page = "page",
        /// To remove what is over.
        Expire = "expire",
        /// How many sessions there are.
        Count = "count",
        /// For the right to refresh a session's tokens.
        Lease = "lease",
        /// To take that right back.
        Release = "release",
        /// Whether a sign-in's answer is the first.
        Claim = "claim",
    }
}

impl Word for Ending {
    fn all() -> &'static [Self] {
        &Self::ALL
    }

    fn word(self) -> &'static str {
        self.as_str()
    }
}
