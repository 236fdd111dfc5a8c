//! Why a session ended. The closed vocabulary of the audit log and of metrics.

/// The reason. The text form is stable: people build alerts on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Ending {
    /// The person signed out.
    SignedOut,
    /// The same browser signed in again.
    SignedInAgain,
    /// Nobody used it for too long.
    Idle,
    /// It was as old as sessions may become.
    Absolute,
    /// The person ended it from another of their sessions.
    EndedByPerson,
    /// An operator ended it.
    EndedByOperator,
    /// The person signed in more often than allowed, and this was the oldest session.
    TooMany,
    /// The provider no longer honours its refresh token.
    InvalidGrant,
    /// A refresh brought somebody else's identity.
    IdentityMismatch,
    /// The provider said so to the gateway (back-channel logout).
    BackChannel,
    /// The provider said so by way of the browser (front-channel logout).
    FrontChannel,
}

impl Ending {
    /// Every reason.
    pub const ALL: [Self; 11] = [
        Self::SignedOut,
        Self::SignedInAgain,
        Self::Idle,
        Self::Absolute,
        Self::EndedByPerson,
        Self::EndedByOperator,
        Self::TooMany,
        Self::InvalidGrant,
        Self::IdentityMismatch,
        Self::BackChannel,
        Self::FrontChannel,
    ];

    /// The stable word, in snake case.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::SignedOut => "signed_out",
            Self::SignedInAgain => "signed_in_again",
            Self::Idle => "idle",
            Self::Absolute => "absolute",
            Self::EndedByPerson => "ended_by_person",
            Self::EndedByOperator => "ended_by_operator",
            Self::TooMany => "too_many",
            Self::InvalidGrant => "invalid_grant",
            Self::IdentityMismatch => "identity_mismatch",
            Self::BackChannel => "back_channel",
            Self::FrontChannel => "front_channel",
        }
    }
}
