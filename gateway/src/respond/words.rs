//! What people read about each reason: what happened, and what to do next. Fixed text: nothing a stranger sent is in it.

use crate::stop::Reason;

/// A title and an advice, both plain text.
pub(super) struct Words {
    pub(super) title: &'static str,
    pub(super) advice: &'static str,
}

pub(super) fn about(reason: Reason) -> Words {
    let (title, advice) = match reason {
        Reason::BadHost => {
            ("This request names no host", "Send exactly one Host header with the address of this site.")
        }
        Reason::UnknownHost => (
            "This site has another address",
            "Use the address that the site's owner gave you; this server answers to no other name.",
        ),
        Reason::OtherServer => (
            "This connection leads to another server",
            "Open a new connection to the address that you mean: its name in the TLS handshake and the request's host must be of one certificate.",
        ),
        Reason::PlainHttp => (
            "This site is reached with https only",
            "Begin the address with https://. What was just sent has travelled unencrypted: change whatever in it was secret.",
        ),
        Reason::ClientCertificate => (
            "This address is for clients with a certificate",
            "Choose a certificate that the owner of this site has admitted here, then try again.",
        ),
        Reason::BadPath => (
            "This address cannot be read in one way only",
            "It holds an encoded slash, a dot segment, an empty segment or a character that does not belong there. Follow a link from the front page instead.",
        ),
        Reason::TooManyRequests => (
            "Too many requests came from where you are",
            "Wait a moment, then try again. Programs find in the header Retry-After how long.",
        ),
        Reason::BodyTooSlow => (
            "What was sent came too slowly",
            "The connection stood still or nearly so. Try again where it is better.",
        ),
        Reason::TargetTooLong => ("This address is too long", "Addresses may have up to 8 KiB."),
        Reason::HeadersTooLarge => (
            "The request's headers are too large",
            "They may have up to 32 KiB in 100 fields. Often old cookies are the cause: clear this site's cookies and try again.",
        ),
        Reason::BadFraming => (
            "The length of this request is ambiguous",
            "Send one Content-Length, or Transfer-Encoding: chunked, not both and nothing else.",
        ),
        Reason::BadExpect => ("This expectation cannot be met", "Only Expect: 100-continue is understood."),
        Reason::MethodNotAllowed => {
            ("This method is not allowed here", "Use one of the methods in the Allow header.")
        }
        Reason::BodyTooLarge => ("This request is too large", "Send less."),
        Reason::BadBody => (
            "This request's body cannot be read",
            "Send a form as application/x-www-form-urlencoded, with each field that is asked for once. /auth/sessions takes the same as JSON.",
        ),
        Reason::BadMediaType => (
            "This request's body is of another kind",
            "Send a form as application/x-www-form-urlencoded with one logout_token.",
        ),
        Reason::Busy => {
            ("Too much waits for the sign-in service", "It is not your fault. Try again in a few seconds.")
        }
        Reason::AmbiguousCookie => (
            "Your browser sent two session cookies",
            "Which of them is yours cannot be known. Clear this site's cookies and sign in again.",
        ),
        Reason::NoRoute | Reason::NoFile => {
            ("There is nothing at this address", "Check the address, or start from the front page.")
        }
        Reason::NoSuchSession => (
            "You have no such session",
            "It may have ended already. Go back to the list of your sessions and load it anew.",
        ),
        Reason::OwnSession => (
            "This is the session that you are using",
            "To end it, sign out. Other sessions can be ended from the list.",
        ),
        Reason::CsrfHeaderMissing => (
            "This request did not come from the site itself",
            "It is for the site's own scripts, which send the header X-CSRF: 1 with every call. People start from the front page.",
        ),
        Reason::CrossSite => (
            "This request came from another site",
            "For your protection it was not carried out. Repeat it on this site itself; programs say where they come from with an \
             Origin header that holds this site's address.",
        ),
        Reason::NoSession | Reason::NobodySignedIn => ("You are not signed in", "Sign in to go on."),
        Reason::SessionOver => {
            ("Your session has ended", "You signed out, or were away for too long. Sign in again to go on.")
        }
        Reason::OtherProvider => (
            "Sign in with another account",
            "You are signed in, but with a service that this page does not take. Sign in with the other one to go on.",
        ),
        Reason::RuleNotMet => (
            "You do not have access to this",
            "You are signed in, but your account does not have the permission that this page needs. Ask the site's owner for it.",
        ),
        Reason::ConsentRequired => (
            "Your consent is needed",
            "This part of the site acts on your behalf, and you have not allowed that yet. Sign in again to be asked.",
        ),
        Reason::ScopeNotGranted => (
            "A permission is missing",
            "The sign-in service granted less than this part of the site needs. Ask the site's owner.",
        ),
        Reason::TenantNotAllowed => (
            "Your organisation has no access",
            "You signed in with an organisation that this site does not serve. Try again with another account.",
        ),
        Reason::AcrNotMet => (
            "This site asks for a stronger sign-in",
            "You did not sign in in one of the ways that it accepts, such as with a second factor. Begin again.",
        ),
        Reason::AuthenticationTooOld => (
            "This site asks for a fresh sign-in",
            "You proved who you are too long ago. Begin again, and the sign-in service should ask you anew.",
        ),
        Reason::BadState => (
            "This sign-in cannot be completed",
            "It was begun in another browser or tab, or long ago, or its cookie was cleared. Begin again.",
        ),
        Reason::AttemptExpired => (
            "This sign-in took too long",
            "For your protection a sign-in must be completed within ten minutes. Begin again.",
        ),
        Reason::AttemptUsed => (
            "This sign-in was already completed",
            "Each sign-in works once. If you are not signed in now, begin again.",
        ),
        Reason::WrongIssuer | Reason::BadCallback => (
            "The answer of the sign-in service was not accepted",
            "It does not fit the question that was asked. Begin again; if this repeats, tell the site's owner.",
        ),
        Reason::ProviderRefused => {
            ("The sign-in service declined", "Begin again; if this repeats, tell the site's owner.")
        }
        Reason::AccessDenied => (
            "Sign-in was cancelled",
            "Access was denied at the sign-in service. You can try again whenever you like.",
        ),
        Reason::CodeRefused => {
            ("The sign-in service took its answer back", "Its code was not accepted. Begin again.")
        }
        Reason::BadIdToken | Reason::BadUserinfo => (
            "Your identity could not be verified",
            "The sign-in service's statement about you failed a check. Begin again; if this repeats, tell the site's owner.",
        ),
        Reason::SignInLoop => (
            "Signing in does not hold",
            "You were signed in more than once, but your browser did not send the session back. Allow cookies for this site, then try again.",
        ),
        Reason::BadInitiation => (
            "This sign-in cannot begin here",
            "The link that led here names another sign-in service or a page of another site. Start from the front page.",
        ),
        Reason::BadLogoutToken => (
            "This logout token is not accepted",
            "Send one logout_token that this site's provider signed for this site, of the kind and age that OpenID Connect \
             Back-Channel Logout asks for.",
        ),
        Reason::LogoutTokenUsed => (
            "This logout token came before",
            "Each logout token counts once. What it asked for was done then.",
        ),
        Reason::ProviderUnavailable => (
            "The sign-in service cannot be reached",
            "It is not your fault. Try again in a few seconds; public pages work meanwhile.",
        ),
        Reason::ProviderBroken => (
            "The sign-in service gave an unusable answer",
            "It is not your fault. Try again; if this repeats, tell the site's owner.",
        ),
        Reason::StoreUnavailable => (
            "Your session cannot be looked up",
            "It is not your fault, and you are still signed in. Try again in a few seconds; public pages work meanwhile.",
        ),
        Reason::UpstreamUnreachable => {
            ("This part of the site cannot be reached", "It is not your fault. Try again in a few seconds.")
        }
        Reason::UpstreamBroken => (
            "This part of the site gave an unusable answer",
            "It is not your fault. Try again in a few seconds.",
        ),
        Reason::UpstreamTimeout => (
            "This part of the site did not answer in time",
            "It is not your fault. Try again in a few seconds.",
        ),
        Reason::UpstreamBusy => (
            "This part of the site is busy",
            "Too many requests wait for it already. It is not your fault. Try again in a few seconds.",
        ),
        Reason::ClientGone => {
            ("The request was not finished", "The connection ended before all of it arrived. Try again.")
        }
        Reason::Internal => (
            "Something went wrong here",
            "It is not your fault. Try again; if this repeats, tell the site's owner the request id.",
        ),
    };
    Words { title, advice }
}
