//! Why a request does not go on. A refusal is an expected answer to a stranger; a fault is something that broke.
//! Which response each becomes is `respond`'s matter alone.

pub mod reason;

use std::time::Duration;

use crate::session::return_to::ReturnTo;

pub use reason::Reason;

/// The end of a request that was not forwarded.
#[derive(Debug)]
pub enum Stop {
    /// The gateway said no, and everything works as it should.
    Refused(Refusal),
    /// Something broke, and it is somebody's fault.
    Failed(Fault),
}

/// An expected no.
#[derive(Debug)]
pub struct Refusal {
    /// The word for logs, metrics and tests.
    pub reason: Reason,
    /// What the person or program can do about it.
    pub remedy: Remedy,
}

/// The one way on from a refusal.
#[derive(Debug)]
pub enum Remedy {
    /// None: the request itself is wrong.
    None,
    /// Sign in, then come back. A navigation is redirected, everything else is told the address.
    SignIn(SignIn),
    /// Use one of these methods (RFC 9110, section 15.5.6).
    Methods(std::sync::Arc<str>),
    /// Begin again: the sign-in cannot go on from here.
    TryAgain(ReturnTo),
    /// Come back after that time.
    Wait(Duration),
}

/// Which sign-in would help.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignIn {
    /// Where to come back to.
    pub return_to: ReturnTo,
    /// The token (`[tokens.NAME]`) whose scopes to ask consent for.
    pub token: Option<String>,
    /// The provider (`[providers.NAME]`) to sign in with; nothing where any will do.
    pub provider: Option<std::sync::Arc<str>>,
}

impl SignIn {
    /// Any sign-in that leads back there.
    pub fn to(return_to: ReturnTo) -> Self {
        Self { return_to, token: None, provider: None }
    }
}

/// Something broke.
#[derive(Debug)]
pub struct Fault {
    /// Whose fault it is: decides status, log level and whether trying again helps.
    pub whose: Whose,
    /// The word for logs, metrics and tests.
    pub reason: Reason,
    /// The cause with its sources, for the log. Never shown, never holds a secret.
    pub cause: Cause,
}

impl Fault {
    /// The cause and its sources in one line.
    pub fn causes(&self) -> String {
        causes(&*self.cause)
    }
}

/// An error and its sources in one line, outermost first.
pub fn causes(error: &dyn std::error::Error) -> String {
    let sources = std::iter::successors(error.source(), |source| source.source());
    sources.fold(error.to_string(), |text, source| format!("{text}: {source}"))
}

/// A boxed error: faults are rare, so the box is not on the hot path.
pub type Cause = Box<dyn std::error::Error + Send + Sync>;

/// Whose fault a fault is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whose {
    /// The client broke off or sent a body it did not finish.
    Client,
    /// The identity provider cannot be reached or answers nonsense.
    Provider,
    /// The session store cannot be reached.
    Store,
    /// The upstream cannot be reached or answers nonsense.
    Upstream,
    /// The gateway itself.
    Gateway,
}

impl Stop {
    /// A refusal without a way on.
    pub fn refused(reason: Reason) -> Self {
        Self::Refused(Refusal { reason, remedy: Remedy::None })
    }

    /// A fault with its cause.
    pub fn failed(whose: Whose, reason: Reason, cause: impl Into<Cause>) -> Self {
        Self::Failed(Fault { whose, reason, cause: cause.into() })
    }

    /// The word for logs, metrics and tests.
    pub fn reason(&self) -> Reason {
        match self {
            Self::Refused(refusal) => refusal.reason,
            Self::Failed(fault) => fault.reason,
        }
    }
}
