//! The closed vocabulary of reasons: what logs, metrics and tests call each way a request can end.

/// Why a request ended where it did. The text form is stable: people build alerts on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reason {
    // The request itself
    /// Missing, doubled or malformed `Host`.
    BadHost,
    /// A host that this gateway does not serve.
    UnknownHost,
    /// A host that is ours, on a connection that was made to another server by its name or certificate.
    OtherServer,
    /// A request without TLS, where only page loads are shown the way.
    PlainHttp,
    /// The route is for clients with a certificate, and none was shown or another one.
    ClientCertificate,
    /// A path without a normal form.
    BadPath,
    /// A request target longer than 8 KiB.
    TargetTooLong,
    /// More header bytes or fields than allowed.
    HeadersTooLarge,
    /// `Transfer-Encoding` other than one `chunked`, or together with `Content-Length`.
    BadFraming,
    /// `Expect` other than `100-continue`.
    BadExpect,
    /// A body larger than the endpoint takes.
    BodyTooLarge,
    /// A body of a kind the endpoint does not take, or without what it asks for.
    BadBody,
    /// A logout token comes in a form, and this was none.
    BadMediaType,
    /// The client asks more than it may in this time.
    TooManyRequests,
    /// The body comes more slowly than one byte at a time should.
    BodyTooSlow,
    /// Too many of the same kind wait for the provider already.
    Busy,
    /// Two cookies of the gateway's name.
    AmbiguousCookie,
    // Routing
    /// No route matches the path.
    NoRoute,
    /// The route does not take this method.
    MethodNotAllowed,
    /// No file of that name.
    NoFile,
    /// None of this person's sessions has that id.
    NoSuchSession,
    /// A person asked to end the session they ask with, which is what sign-out is for.
    OwnSession,
    // Cross-site request forgery
    /// The `X-CSRF: 1` header is missing.
    CsrfHeaderMissing,
    /// The request comes from another origin, or does not say from where.
    CrossSite,
    // Policy
    /// No session.
    NoSession,
    /// The session expired, was ended, or never was.
    SessionOver,
    /// Signed in, but with another provider than the route is for.
    OtherProvider,
    /// Signed in, but the rule does not hold.
    RuleNotMet,
    /// The person has not consented to a scope that the route's token needs.
    ConsentRequired,
    /// The provider granted less than the route's token needs.
    ScopeNotGranted,
    // Sign-in
    /// The callback's `state` is missing, doubled or unknown to this browser.
    BadState,
    /// The attempt took longer than ten minutes.
    AttemptExpired,
    /// The attempt was already answered.
    AttemptUsed,
    /// The answer's `iss` is not the provider that was asked (RFC 9207).
    WrongIssuer,
    /// The callback's parameters are doubled or contradict each other.
    BadCallback,
    /// The provider said no.
    ProviderRefused,
    /// The person or the provider's policy denied access.
    AccessDenied,
    /// The provider refused the code.
    CodeRefused,
    /// The ID token failed a check.
    BadIdToken,
    /// The userinfo endpoint speaks of somebody else, or its signature does not hold.
    BadUserinfo,
    /// Signed in with a tenant that is not on the list.
    TenantNotAllowed,
    /// A silent sign-in found nobody signed in at the provider, or one who must be asked something.
    NobodySignedIn,
    /// The person signed in in a way that the configuration does not accept.
    AcrNotMet,
    /// The person signed in at the provider longer ago than the configuration accepts.
    AuthenticationTooOld,
    /// Too many sign-ins in a row without a session.
    SignInLoop,
    /// A sign-in that somebody else began: for another provider, for another site's page, or in two readings.
    BadInitiation,
    // Sign-out
    /// The logout token cannot be read, is of another kind, or does not verify.
    BadLogoutToken,
    /// The logout token came before.
    LogoutTokenUsed,
    // Faults
    /// The provider cannot be reached, or its metadata or keys could not be had yet.
    ProviderUnavailable,
    /// The provider's answer cannot be used.
    ProviderBroken,
    /// The session store cannot be reached or cannot write.
    StoreUnavailable,
    /// The upstream refused the connection or broke it off.
    UpstreamUnreachable,
    /// The upstream's answer is not HTTP or not acceptable.
    UpstreamBroken,
    /// The upstream did not answer in time.
    UpstreamTimeout,
    /// The upstream has as many connections as it may have, and as many requests wait for one as may.
    UpstreamBusy,
    /// The client did not finish its request.
    ClientGone,
    /// A defect of the gateway.
    Internal,
}

impl Reason {
    /// Every word, in the order above: metrics count each at its place.
    pub const ALL: &'static [Self] = &[
        Self::BadHost,
        Self::UnknownHost,
        Self::OtherServer,
        Self::PlainHttp,
        Self::ClientCertificate,
        Self::BadPath,
        Self::TargetTooLong,
        Self::HeadersTooLarge,
        Self::BadFraming,
        Self::BadExpect,
        Self::BodyTooLarge,
        Self::BadBody,
        Self::BadMediaType,
        Self::TooManyRequests,
        Self::BodyTooSlow,
        Self::Busy,
        Self::AmbiguousCookie,
        Self::NoRoute,
        Self::MethodNotAllowed,
        Self::NoFile,
        Self::NoSuchSession,
        Self::OwnSession,
        Self::CsrfHeaderMissing,
        Self::CrossSite,
        Self::NoSession,
        Self::SessionOver,
        Self::OtherProvider,
        Self::RuleNotMet,
        Self::ConsentRequired,
        Self::ScopeNotGranted,
        Self::BadState,
        Self::AttemptExpired,
        Self::AttemptUsed,
        Self::WrongIssuer,
        Self::BadCallback,
        Self::ProviderRefused,
        Self::AccessDenied,
        Self::CodeRefused,
        Self::BadIdToken,
        Self::BadUserinfo,
        Self::TenantNotAllowed,
        Self::NobodySignedIn,
        Self::AcrNotMet,
        Self::AuthenticationTooOld,
        Self::SignInLoop,
        Self::BadInitiation,
        Self::BadLogoutToken,
        Self::LogoutTokenUsed,
        Self::ProviderUnavailable,
        Self::ProviderBroken,
        Self::StoreUnavailable,
        Self::UpstreamUnreachable,
        Self::UpstreamBroken,
        Self::UpstreamTimeout,
        Self::UpstreamBusy,
        Self::ClientGone,
        Self::Internal,
    ];

    /// The stable word, in snake case.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::BadHost => "bad_host",
            Self::UnknownHost => "unknown_host",
            Self::OtherServer => "other_server",
            Self::PlainHttp => "plain_http",
            Self::ClientCertificate => "client_certificate",
            Self::BadPath => "bad_path",
            Self::TargetTooLong => "target_too_long",
            Self::HeadersTooLarge => "headers_too_large",
            Self::BadFraming => "bad_framing",
            Self::BadExpect => "bad_expect",
            Self::BodyTooLarge => "body_too_large",
            Self::BadBody => "bad_body",
            Self::BadMediaType => "bad_media_type",
            Self::TooManyRequests => "too_many_requests",
            Self::BodyTooSlow => "body_too_slow",
            Self::Busy => "busy",
            Self::AmbiguousCookie => "ambiguous_cookie",
            Self::NoRoute => "no_route",
            Self::MethodNotAllowed => "method_not_allowed",
            Self::NoFile => "no_file",
            Self::NoSuchSession => "no_such_session",
            Self::OwnSession => "own_session",
            Self::CsrfHeaderMissing => "csrf_header_missing",
            Self::CrossSite => "cross_site",
            Self::NoSession => "no_session",
            Self::SessionOver => "session_over",
            Self::OtherProvider => "other_provider",
            Self::RuleNotMet => "rule_not_met",
            Self::ConsentRequired => "consent_required",
            Self::ScopeNotGranted => "scope_not_granted",
            Self::BadState => "bad_state",
            Self::AttemptExpired => "attempt_expired",
            Self::AttemptUsed => "attempt_used",
            Self::WrongIssuer => "wrong_issuer",
            Self::BadCallback => "bad_callback",
            Self::ProviderRefused => "provider_refused",
            Self::AccessDenied => "access_denied",
            Self::CodeRefused => "code_refused",
            Self::BadIdToken => "bad_id_token",
            Self::BadUserinfo => "bad_userinfo",
            Self::TenantNotAllowed => "tenant_not_allowed",
            Self::NobodySignedIn => "nobody_signed_in",
            Self::AcrNotMet => "acr_not_met",
            Self::AuthenticationTooOld => "authentication_too_old",
            Self::SignInLoop => "sign_in_loop",
            Self::BadInitiation => "bad_initiation",
            Self::BadLogoutToken => "bad_logout_token",
            Self::LogoutTokenUsed => "logout_token_used",
            Self::ProviderUnavailable => "provider_unavailable",
            Self::ProviderBroken => "provider_broken",
            Self::StoreUnavailable => "store_unavailable",
            Self::UpstreamUnreachable => "upstream_unreachable",
            Self::UpstreamBroken => "upstream_broken",
            Self::UpstreamTimeout => "upstream_timeout",
            Self::UpstreamBusy => "upstream_busy",
            Self::ClientGone => "client_gone",
            Self::Internal => "internal",
        }
    }
}

// A word that is missing above, or stands in another place there than in the enum, does not compile.
const _: () = {
    assert!(
        Reason::ALL.len() == Reason::Internal as usize + 1,
        "list every reason in ALL, and Internal as the last"
    );
    let mut place = 0;
    while place < Reason::ALL.len() {
        assert!(Reason::ALL[place] as usize == place, "list reasons in ALL in the order of the enum");
        place += 1;
    }
};
