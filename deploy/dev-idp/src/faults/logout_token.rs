//! What can be wrong with a logout token: every row of requirements.md about them. A few entries are right but unusual;
//! their comments say "valid". Knows nothing of how a right one is made; what can be wrong with any token is done there.

use serde_json::{Value, json};

use super::{Fault, Faults, IdTokenFault, JwtEdit, Members, faults};
use crate::random;

faults! {
    /// Something wrong with a logout token.
    LogoutFault {
        /// BL-03: alg none, no signature.
        AlgNone = "alg-none",
        /// BL-03: HS256 with the client secret.
        Hs256ClientSecret = "hs256-client-secret",
        /// BL-03: another algorithm than the client's, by a key that is published.
        WrongAlg = "wrong-alg",
        /// BL-03: one bit of the signature flipped.
        BadSignature = "bad-signature",
        /// BL-03: the payload changed after signing.
        TamperedPayload = "tampered-payload",
        /// BL-03: signed by a key that is not published, under the published kid.
        WrongKey = "wrong-key",
        /// BL-11: an unknown kid, signed by an unpublished key.
        UnknownKid = "unknown-kid",
        /// BL-03: another issuer.
        WrongIssuer = "wrong-issuer",
        /// BL-03: no issuer.
        MissingIssuer = "missing-issuer",
        /// BL-03: a slash after the issuer.
        IssuerSlash = "issuer-slash",
        /// BL-03: another audience.
        WrongAudience = "wrong-audience",
        /// BL-03: no audience.
        MissingAudience = "missing-audience",
        /// BL-03, valid: the audience as an array of one.
        AudienceArray = "audience-array",
        /// BL-03: a second audience.
        ExtraAudience = "extra-audience",
        /// BL-03: expired an hour ago.
        Expired = "expired",
        /// BL-03: no exp.
        MissingExp = "missing-exp",
        /// BL-03: exp is a string of digits.
        ExpString = "exp-string",
        /// BL-07: no iat.
        MissingIat = "missing-iat",
        /// BL-03: issued an hour ago, not yet expired.
        IatOld = "iat-old",
        /// BL-03: issued an hour from now.
        IatFuture = "iat-future",
        /// BL-04: no events.
        MissingEvents = "missing-events",
        /// BL-04: events is the event's name.
        EventsString = "events-string",
        /// BL-04: events is an array of the event's name.
        EventsArray = "events-array",
        /// BL-04: events is null.
        EventsNull = "events-null",
        /// BL-04: another event only.
        OtherEvent = "other-event",
        /// BL-04: the event is null.
        EventNull = "event-null",
        /// BL-04: the event is a string.
        EventString = "event-string",
        /// BL-04: the event is an array.
        EventArray = "event-array",
        /// BL-04, valid: another event besides.
        MoreEvents = "more-events",
        /// BL-04, valid: the event has a member.
        EventMember = "event-member",
        /// BL-05: a nonce.
        Nonce = "nonce",
        /// BL-05: an empty nonce.
        NonceEmpty = "nonce-empty",
        /// BL-05: a nonce that is null.
        NonceNull = "nonce-null",
        /// BL-06: neither sub nor sid.
        Nobody = "nobody",
        /// BL-06: the sid of no session.
        ForeignSid = "foreign-sid",
        /// BL-06: sid is a number.
        NumericSid = "numeric-sid",
        /// BL-06: sid is empty.
        EmptySid = "empty-sid",
        /// BL-06: another person's sub.
        OtherSub = "other-sub",
        /// BL-06: sub is empty.
        EmptySub = "empty-sub",
        /// BL-07: no jti.
        MissingJti = "missing-jti",
        /// BL-07: jti is a number.
        NumericJti = "numeric-jti",
        /// BL-07: jti is empty.
        EmptyJti = "empty-jti",
        /// BL-08: typ at+jwt.
        TypAccessToken = "typ-access-token",
        /// BL-08: typ JWT, valid unless strict.
        TypJwt = "typ-jwt",
        /// BL-08: no typ, valid unless strict.
        TypAbsent = "typ-absent",
        /// BL-08, valid: typ application/logout+jwt.
        TypLong = "typ-long",
        /// BL-03: crit names an extension nobody knows.
        Crit = "crit",
        /// BL-03: two aud, a stranger's first.
        DuplicateAud = "duplicate-aud",
        /// BL-03: the payload is a JSON array.
        PayloadArray = "payload-array",
        /// BL-03: JSON serialization.
        JsonSerialization = "json-serialization",
        /// BL-03: five parts, as if encrypted.
        Jwe = "jwe",
        /// BL-03: three parts, none of them base64url.
        NotBase64 = "not-base64",
        /// BL-09: the person's ID token instead.
        IdToken = "id-token",
        /// BL-09: the person's access token instead.
        AccessToken = "access-token",
    }
}

/// The member of `events` that makes a token a logout token.
pub(crate) const EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";
const OTHER_EVENT: &str = "http://schemas.openid.net/event/something-else";

impl LogoutFault {
    /// The same fault of an ID token: it is made where those are.
    pub(crate) fn of_any_token(self) -> Option<IdTokenFault> {
        Some(match self {
            Self::AlgNone => IdTokenFault::AlgNone,
            Self::Hs256ClientSecret => IdTokenFault::Hs256ClientSecret,
            Self::BadSignature => IdTokenFault::BadSignature,
            Self::TamperedPayload => IdTokenFault::TamperedPayload,
            Self::WrongKey => IdTokenFault::WrongKey,
            Self::UnknownKid => IdTokenFault::UnknownKid,
            Self::WrongIssuer => IdTokenFault::WrongIssuer,
            Self::MissingIssuer => IdTokenFault::MissingIssuer,
            Self::IssuerSlash => IdTokenFault::IssuerSlash,
            Self::WrongAudience => IdTokenFault::WrongAudience,
            Self::MissingAudience => IdTokenFault::MissingAudience,
            Self::AudienceArray => IdTokenFault::AudienceArray,
            Self::ExtraAudience => IdTokenFault::ExtraAudience,
            Self::Expired => IdTokenFault::Expired,
            Self::MissingExp => IdTokenFault::MissingExp,
            Self::ExpString => IdTokenFault::ExpString,
            Self::MissingIat => IdTokenFault::MissingIat,
            Self::IatOld => IdTokenFault::IatOld,
            Self::IatFuture => IdTokenFault::IatFuture,
            Self::OtherSub => IdTokenFault::OtherSub,
            Self::EmptySub => IdTokenFault::EmptySub,
            Self::TypAccessToken => IdTokenFault::TypAccessToken,
            Self::Crit => IdTokenFault::Crit,
            Self::DuplicateAud => IdTokenFault::DuplicateAud,
            Self::PayloadArray => IdTokenFault::PayloadArray,
            Self::JsonSerialization => IdTokenFault::JsonSerialization,
            Self::Jwe => IdTokenFault::Jwe,
            Self::NotBase64 => IdTokenFault::NotBase64,
            _ => return None,
        })
    }

    /// Makes the faults that only logout tokens have.
    pub(crate) fn change(self, header: &mut Members, claims: &mut Members) {
        let (name, value) = match self {
            Self::MissingEvents => ("events", None),
            Self::EventsString => ("events", Some(EVENT.into())),
            Self::EventsArray => ("events", Some(json!([EVENT]))),
            Self::EventsNull => ("events", Some(Value::Null)),
            Self::OtherEvent => ("events", Some(json!({OTHER_EVENT: {}}))),
            Self::EventNull => ("events", Some(json!({EVENT: null}))),
            Self::EventString => ("events", Some(json!({EVENT: "yes"}))),
            Self::EventArray => ("events", Some(json!({EVENT: []}))),
            Self::MoreEvents => ("events", Some(json!({EVENT: {}, OTHER_EVENT: {}}))),
            Self::EventMember => ("events", Some(json!({EVENT: {"reason": "tired"}}))),
            Self::Nonce => ("nonce", Some(random::token().into())),
            Self::NonceEmpty => ("nonce", Some("".into())),
            Self::NonceNull => ("nonce", Some(Value::Null)),
            Self::Nobody => {
                claims.remove("sub");
                ("sid", None)
            }
            Self::ForeignSid => ("sid", Some(random::guid().into())),
            Self::NumericSid => ("sid", Some(4711.into())),
            Self::EmptySid => ("sid", Some("".into())),
            Self::MissingJti => ("jti", None),
            Self::NumericJti => ("jti", Some(4711.into())),
            Self::EmptyJti => ("jti", Some("".into())),
            _ => return self.change_header(header),
        };
        set(claims, name, value);
    }

    fn change_header(self, header: &mut Members) {
        match self {
            Self::TypJwt => set(header, "typ", Some("JWT".into())),
            Self::TypAbsent => set(header, "typ", None),
            Self::TypLong => set(header, "typ", Some("application/logout+jwt".into())),
            _ => {}
        }
    }
}

fn set(members: &mut Members, name: &str, value: Option<Value>) {
    match value {
        Some(value) => members.insert(name.to_owned(), value),
        None => members.remove(name),
    };
}

impl Faults {
    /// The faults of the logout token that is about to be sent, and the closure.
    pub(crate) fn on_logout_token(&self) -> (Vec<LogoutFault>, Option<JwtEdit>) {
        let pick = |fault| if let Fault::LogoutToken(fault) = fault { Some(fault) } else { None };
        (self.take(pick), self.edits().logout_token)
    }
}
