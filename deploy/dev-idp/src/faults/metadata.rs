//! What can be wrong with a discovery document. Knows nothing of how the right one is made.

use serde_json::{Value, json};

use super::{Fault, Faults, faults};

faults! {
    /// Something wrong with the discovery document.
    MetadataFault {
        /// SI-20: another issuer.
        WrongIssuer = "wrong-issuer",
        /// SI-20: a slash after the issuer.
        IssuerSlash = "issuer-slash",
        /// SI-20: the issuer in capitals.
        IssuerCase = "issuer-case",
        /// SI-20: another port.
        IssuerPort = "issuer-port",
        /// SI-20: no issuer.
        MissingIssuer = "missing-issuer",
        /// SI-21: the issuer is a template with {tenantid}.
        IssuerTemplate = "issuer-template",
        /// SI-20: plain http to somewhere else as authorization endpoint.
        HttpAuthorize = "http-authorize",
        /// SI-20: plain http to somewhere else as token endpoint.
        HttpToken = "http-token",
        /// SI-20: plain http to somewhere else as jwks_uri.
        HttpJwks = "http-jwks",
        /// SI-20: the token endpoint is no URL.
        TokenNotUrl = "token-not-url",
        /// SI-20: no authorization endpoint.
        MissingAuthorize = "missing-authorize",
        /// SI-20: no token endpoint.
        MissingToken = "missing-token",
        /// SI-20: no jwks_uri.
        MissingJwks = "missing-jwks",
        /// SI-22: not JSON.
        NotJson = "not-json",
        /// SI-22: the right object in an array.
        Array = "array",
        /// SI-20: two issuers, a wrong one last.
        DuplicateIssuer = "duplicate-issuer",
        /// IT-02: offers none and HS256 for ID tokens.
        WeakAlgorithms = "weak-algorithms",
        /// SI-02, valid: says nothing about PKCE.
        NoPkce = "no-pkce",
        /// CB-05: no iss is promised (and none is sent on the callback while this is set).
        NoIss = "no-iss",
        /// CB-05: iss is promised, also on the Entra face, which does not send it.
        PromiseIss = "promise-iss",
        /// Valid: no prompt values, so no `create`.
        NoPrompts = "no-prompts",
        /// LO-01, valid: no end_session_endpoint.
        NoEndSession = "no-end-session",
        /// LO-07, valid: no revocation_endpoint.
        NoRevocation = "no-revocation",
        /// Valid: no userinfo_endpoint.
        NoUserinfo = "no-userinfo",
        /// SI-19: pushed authorization requests are required.
        RequirePar = "require-par",
    }
}

impl Faults {
    /// The document as it is sent.
    pub(crate) fn on_metadata(&self, mut document: Value) -> String {
        let pick = |fault| {
            if let Fault::Metadata(fault) = fault { Some(fault) } else { None }
        };
        let faults = self.take(pick);
        for fault in &faults {
            change(*fault, &mut document);
        }
        if let Some(edit) = self.edits().metadata {
            edit(&mut document);
        }
        let mut text = document.to_string();
        for fault in &faults {
            match fault {
                MetadataFault::NotJson => text.truncate(text.len() / 2),
                MetadataFault::Array => text = format!("[{text}]"),
                MetadataFault::DuplicateIssuer => {
                    text.insert_str(text.len() - 1, r#","issuer":"https://somebody-else.example""#);
                }
                _ => {}
            }
        }
        text
    }

    /// Whether the callback should leave `iss` out, because the document does not promise it.
    pub(crate) fn iss_is_not_promised(&self) -> bool {
        self.active().contains(&Fault::Metadata(MetadataFault::NoIss))
    }
}

fn change(fault: MetadataFault, document: &mut Value) {
    let issuer = document["issuer"].as_str().unwrap_or_default().to_owned();
    let (name, value): (&str, Option<Value>) = match fault {
        MetadataFault::WrongIssuer => ("issuer", Some("https://somebody-else.example".into())),
        MetadataFault::IssuerSlash => ("issuer", Some(format!("{issuer}/").into())),
        MetadataFault::IssuerCase => ("issuer", Some(issuer.to_uppercase().into())),
        MetadataFault::IssuerPort => ("issuer", Some(issuer.replacen("localhost:", "localhost:1", 1).into())),
        MetadataFault::MissingIssuer => ("issuer", None),
        MetadataFault::IssuerTemplate => ("issuer", Some("https://login.example/{tenantid}/v2.0".into())),
        MetadataFault::HttpAuthorize => {
            ("authorization_endpoint", Some("http://idp.example/authorize".into()))
        }
        MetadataFault::HttpToken => ("token_endpoint", Some("http://idp.example/token".into())),
        MetadataFault::HttpJwks => ("jwks_uri", Some("http://idp.example/keys".into())),
        MetadataFault::TokenNotUrl => ("token_endpoint", Some("not a url".into())),
        MetadataFault::MissingAuthorize => ("authorization_endpoint", None),
        MetadataFault::MissingToken => ("token_endpoint", None),
        MetadataFault::MissingJwks => ("jwks_uri", None),
        MetadataFault::WeakAlgorithms => {
            ("id_token_signing_alg_values_supported", Some(json!(["none", "HS256", "RS256"])))
        }
        MetadataFault::NoPkce => ("code_challenge_methods_supported", None),
        MetadataFault::NoIss => ("authorization_response_iss_parameter_supported", None),
        MetadataFault::PromiseIss => ("authorization_response_iss_parameter_supported", Some(true.into())),
        MetadataFault::NoPrompts => ("prompt_values_supported", None),
        MetadataFault::NoEndSession => ("end_session_endpoint", None),
        MetadataFault::NoRevocation => ("revocation_endpoint", None),
        MetadataFault::NoUserinfo => ("userinfo_endpoint", None),
        MetadataFault::RequirePar => ("require_pushed_authorization_requests", Some(true.into())),
        MetadataFault::NotJson | MetadataFault::Array | MetadataFault::DuplicateIssuer => return,
    };
    if let Some(object) = document.as_object_mut() {
        match value {
            Some(value) => object.insert(name.to_owned(), value),
            None => object.remove(name),
        };
    }
}
