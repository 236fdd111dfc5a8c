//! What can be wrong with an ID token. Minting (`Mint::fault`) uses the same list for access tokens. A few entries are
//! right but unusual: a test's positive twins; their comments say "valid". Knows nothing of how it is done.

use super::{Fault, Faults, JwtEdit, faults};

faults! {
    /// Something wrong with an ID token.
    IdTokenFault {
        /// IT-11: no nonce.
        MissingNonce = "missing-nonce",
        /// IT-11: another nonce.
        WrongNonce = "wrong-nonce",
        /// IT-11: the nonce in an array.
        NonceArray = "nonce-array",
        /// IT-11: the first half of the nonce.
        NoncePrefix = "nonce-prefix",
        /// IT-11: the nonce with the case of its letters swapped.
        NonceCase = "nonce-case",
        /// IT-07: another issuer.
        WrongIssuer = "wrong-issuer",
        /// IT-07: no issuer.
        MissingIssuer = "missing-issuer",
        /// IT-07: a slash after the issuer.
        IssuerSlash = "issuer-slash",
        /// IT-07: the issuer in capitals.
        IssuerCase = "issuer-case",
        /// IT-07: https instead of http.
        IssuerScheme = "issuer-scheme",
        /// IT-07: another port.
        IssuerPort = "issuer-port",
        /// IT-07: the issuer in an array.
        IssuerArray = "issuer-array",
        /// IT-07: the issuer with more after it.
        IssuerPrefix = "issuer-prefix",
        /// IT-08: another audience.
        WrongAudience = "wrong-audience",
        /// IT-08: no audience.
        MissingAudience = "missing-audience",
        /// IT-08: an empty array as audience.
        EmptyAudience = "empty-audience",
        /// IT-08, valid: the audience as an array of one.
        AudienceArray = "audience-array",
        /// IT-08, IT-09: a second audience and no azp.
        ExtraAudience = "extra-audience",
        /// IT-08: a second audience, and the right azp.
        ExtraAudienceWithAzp = "extra-audience-with-azp",
        /// IT-09: another azp.
        WrongAzp = "wrong-azp",
        /// IT-09, valid: the right azp.
        RightAzp = "right-azp",
        /// IT-10: expired an hour ago.
        Expired = "expired",
        /// IT-10: no exp.
        MissingExp = "missing-exp",
        /// IT-18: exp is a string of digits.
        ExpString = "exp-string",
        /// IT-18, valid: exp with a fraction.
        ExpFloat = "exp-float",
        /// IT-18: exp is null.
        ExpNull = "exp-null",
        /// IT-18: exp is -1.
        ExpNegative = "exp-negative",
        /// IT-18: exp is 2^63.
        ExpTwoTo63 = "exp-two-to-63",
        /// IT-18: exp is 1e300.
        ExpHuge = "exp-huge",
        /// IT-18: exp is an array.
        ExpArray = "exp-array",
        /// IT-10: no iat.
        MissingIat = "missing-iat",
        /// IT-10: iat is a string.
        IatString = "iat-string",
        /// IT-10: issued an hour from now.
        IatFuture = "iat-future",
        /// IT-10: issued an hour ago, not yet expired.
        IatOld = "iat-old",
        /// IT-10: not before an hour from now.
        NbfFuture = "nbf-future",
        /// IT-12: no sub.
        MissingSub = "missing-sub",
        /// IT-12: sub is empty.
        EmptySub = "empty-sub",
        /// IT-12: sub is a number.
        NumericSub = "numeric-sub",
        /// IT-12: sub has 256 characters.
        LongSub = "long-sub",
        /// IT-12: sub has 10 KiB.
        HugeSub = "huge-sub",
        /// IT-12: another person's sub.
        OtherSub = "other-sub",
        /// IT-21: another tenant.
        WrongTid = "wrong-tid",
        /// IT-13: at_hash of another token.
        WrongAtHash = "wrong-at-hash",
        /// IT-13, valid: the right at_hash (the Entra face leaves it out).
        RightAtHash = "right-at-hash",
        /// SI-18: no auth_time.
        MissingAuthTime = "missing-auth-time",
        /// SI-18: signed in a day ago.
        OldAuthTime = "old-auth-time",
        /// SI-18: signed in an hour from now.
        FutureAuthTime = "future-auth-time",
        /// SI-18: auth_time is a string of digits.
        AuthTimeString = "auth-time-string",
        /// SI-18: no acr.
        MissingAcr = "missing-acr",
        /// SI-18: a lower acr than any that can be asked for.
        LowerAcr = "lower-acr",
        /// SI-18: acr is a number.
        NumericAcr = "numeric-acr",
        /// More groups than a token lists: it says where they can be asked for (Entra's group overage).
        GroupOverage = "group-overage",
        /// IT-01: one bit of the signature flipped.
        BadSignature = "bad-signature",
        /// IT-01: the signature is there but empty.
        EmptySignature = "empty-signature",
        /// IT-01: the payload changed after signing.
        TamperedPayload = "tampered-payload",
        /// IT-01: the header changed after signing.
        TamperedHeader = "tampered-header",
        /// IT-01, IT-03: signed by a key that is not published, under the published kid.
        WrongKey = "wrong-key",
        /// IT-04: an unknown kid, signed by an unpublished key.
        UnknownKid = "unknown-kid",
        /// IT-05: no kid, otherwise right.
        MissingKid = "missing-kid",
        /// IT-02: alg none, no signature.
        AlgNone = "alg-none",
        /// IT-02: alg None.
        AlgNoneCapital = "alg-none-capital",
        /// IT-02: alg nOnE.
        AlgNoneMixed = "alg-none-mixed",
        /// IT-02: no alg.
        MissingAlg = "missing-alg",
        /// IT-02: HS256 with the client secret.
        Hs256ClientSecret = "hs256-client-secret",
        /// IT-02: HS256 with the public key as PEM.
        Hs256PublicPem = "hs256-public-pem",
        /// IT-02: HS256 with the public key as DER.
        Hs256PublicDer = "hs256-public-der",
        /// IT-02: HS256 with the public key's JWK text.
        Hs256PublicJwk = "hs256-public-jwk",
        /// IT-02: ES256 by a key that the key set then holds.
        Es256 = "es256",
        /// IT-03: PS256 by the published RSA key.
        Ps256 = "ps256",
        /// IT-03: header says PS256, signature is RS256.
        Ps256Header = "ps256-header",
        /// IT-15: typ at+jwt.
        TypAccessToken = "typ-access-token",
        /// IT-15: typ logout+jwt.
        TypLogoutToken = "typ-logout-token",
        /// IT-15: typ dpop+jwt.
        TypDpop = "typ-dpop",
        /// IT-15: has the events of a logout token.
        HasEvents = "has-events",
        /// IT-16: crit names an extension nobody knows.
        Crit = "crit",
        /// IT-16: crit is empty.
        CritEmpty = "crit-empty",
        /// IT-16: b64 false, named in crit.
        B64False = "b64-false",
        /// IT-16: zip DEF.
        Zip = "zip",
        /// IT-16: cty JWT, a token in a token.
        Nested = "nested",
        /// IT-16: JSON serialization.
        JsonSerialization = "json-serialization",
        /// IT-16: five parts, as if encrypted.
        Jwe = "jwe",
        /// IT-17: jku points at the canary; signed by an unpublished key.
        Jku = "jku",
        /// IT-17: x5u points at the canary; signed by an unpublished key.
        X5u = "x5u",
        /// IT-17: the unpublished signing key stands in jwk.
        Jwk = "jwk",
        /// IT-17: an x5c that is no certificate; signed by an unpublished key.
        X5c = "x5c",
        /// IT-19: two aud, a stranger's first.
        DuplicateAud = "duplicate-aud",
        /// IT-19: two sub, another person's last.
        DuplicateSub = "duplicate-sub",
        /// IT-19: two nonce, a wrong one first.
        DuplicateNonce = "duplicate-nonce",
        /// IT-19: two alg in the header, none first.
        DuplicateAlg = "duplicate-alg",
        /// IT-16: the payload is a JSON array.
        PayloadArray = "payload-array",
        /// IT-16: the payload is not JSON.
        PayloadNotJson = "payload-not-json",
        /// IT-16: the payload is nested 10,000 deep.
        PayloadDeep = "payload-deep",
        /// IT-16: three parts, none of them base64url.
        NotBase64 = "not-base64",
        /// IT-16: standard base64 padding after the signature.
        Padded = "padded",
    }
}

impl Faults {
    /// The ID token faults that apply now, and the closure.
    pub(crate) fn on_id_token(&self, is_refresh: bool) -> (Vec<IdTokenFault>, Option<JwtEdit>) {
        let pick = |fault| match fault {
            Fault::IdToken(fault) => Some(fault),
            Fault::RefreshedIdToken(fault) if is_refresh => Some(fault),
            _ => None,
        };
        let edits = self.edits();
        let refreshed = edits.refreshed_id_token.filter(|_| is_refresh);
        (self.take(pick), refreshed.or(edits.id_token))
    }

    pub(crate) fn on_access_token(&self) -> Option<JwtEdit> {
        self.edits().access_token
    }
}
