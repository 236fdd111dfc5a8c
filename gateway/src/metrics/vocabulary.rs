//! The closed vocabularies of labels. The words are stable: people build alerts on them.

use crate::session::ending::Ending;
use crate::stop::Reason;

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

vocabulary! {
    /// What became of a recorded step of a request.
    SpanFate {
        /// The collector has it.
        Sent = "sent",
        /// Too many waited already.
        QueueFull = "queue_full",
        /// The collector could not be reached or did not want it.
        NotTaken = "not_taken",
    }
}

vocabulary! {
    /// Why a client's connection was not served.
    Refusal {
        /// The operating system did not hand it over, usually for want of file descriptors.
        AcceptFailed = "accept_failed",
        /// Its address holds as many as it may.
        TooManyOfAddress = "too_many_of_address",
    }
}

vocabulary! {
    /// Why an upstream did not answer.
    Trouble {
        /// No connection.
        Unreachable = "unreachable",
        /// The connection broke, or the answer cannot be used.
        Broken = "broken",
        /// Connecting or answering took too long.
        Timeout = "timeout",
        /// Too many requests waited for it already, or none of its servers can be asked.
        Busy = "busy",
    }
}

vocabulary! {
    /// What came of a TLS handshake with a client.
    Handshake {
        /// TLS 1.2, then HTTP/1.1.
        Tls12Http1 = "tls12_http1",
        /// TLS 1.2, then HTTP/2.
        Tls12Http2 = "tls12_http2",
        /// TLS 1.3, then HTTP/1.1.
        Tls13Http1 = "tls13_http1",
        /// TLS 1.3, then HTTP/2.
        Tls13Http2 = "tls13_http2",
        /// It took too long.
        Timeout = "timeout",
        /// The client went away in the middle of it.
        Broken = "broken",
        /// The two share no version, cipher or protocol, or the client does not speak TLS.
        Failed = "failed",
    }
}

impl Trouble {
    /// The kind of a request's end; nothing if it was not the upstream's fault.
    pub fn of(reason: Reason) -> Option<Self> {
        match reason {
            Reason::UpstreamUnreachable => Some(Self::Unreachable),
            Reason::UpstreamBroken => Some(Self::Broken),
            Reason::UpstreamTimeout => Some(Self::Timeout),
            Reason::UpstreamBusy => Some(Self::Busy),
            _ => None,
        }
    }
}

impl Handshake {
    /// Result, TLS version and the protocol that was agreed on.
    pub(super) fn words(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::Tls12Http1 => ("ok", "1.2", "http/1.1"),
            Self::Tls12Http2 => ("ok", "1.2", "h2"),
            Self::Tls13Http1 => ("ok", "1.3", "http/1.1"),
            Self::Tls13Http2 => ("ok", "1.3", "h2"),
            Self::Timeout | Self::Broken | Self::Failed => (self.as_str(), "none", "none"),
        }
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
