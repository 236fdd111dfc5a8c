//! The provider's metadata (OpenID Connect Discovery 1.0): what is kept of it and what is refused.
//! The issuer is compared byte for byte, always; where the document was found does not matter (requirement SI-21).

use serde_json::Map;
use url::Url;

use crate::oidc::http::{self, CallError, HttpClient};
use crate::oidc::json::{self, JsonError};
use crate::oidc::settings::{Algorithm, ClientAuthentication, Pushing, Settings, When};

/// What the gateway keeps of the metadata.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Metadata {
    pub(super) authorization_endpoint: Url,
    pub(super) token_endpoint: Url,
    pub(super) jwks_uri: Url,
    pub(super) revocation_endpoint: Option<Url>,
    pub(super) end_session_endpoint: Option<Url>,
    /// Where authorization requests are pushed, if they are (RFC 9126).
    pub(super) push_to: Option<Url>,
    /// Where more is told of a person.
    pub(super) userinfo_endpoint: Option<Url>,
    /// Whether every answer of the authorization endpoint carries `iss` (RFC 9207, section 3).
    pub(super) sends_issuer: bool,
    /// Values of `prompt` that the provider takes (Initiating User Registration via OpenID Connect 1.0, section 4).
    pub(super) prompts: Option<Vec<String>>,
    /// The configured algorithms, less those that the provider says it does not use: narrowed, never widened.
    pub(super) algorithms: Vec<Algorithm>,
}

/// Why the metadata cannot be used.
#[derive(Debug, thiserror::Error)]
pub(super) enum MetadataError {
    /// The document could not be fetched.
    #[error("it could not be fetched")]
    Call(#[from] CallError),
    /// Another status than 200.
    #[error("it was answered with {0}")]
    Status(::http::StatusCode),
    /// Not strict JSON with the members it must have.
    #[error("it cannot be read")]
    Json(#[from] JsonError),
    /// The document is somebody else's, or the configuration has a typing error.
    #[error("its issuer is {found:?}, but the configuration says {expected:?}")]
    Issuer {
        /// `provider.issuer` of the configuration.
        expected: String,
        /// What the document says.
        found: String,
    },
    /// An endpoint that must not be called.
    #[error("its {0} must be an https address (http only on this machine) without user name and fragment")]
    Endpoint(&'static str),
    /// The provider takes pushed requests only, and the configuration forbids them.
    #[error(
        "the provider requires pushed authorization requests, but the configuration says par = \"never\""
    )]
    PushRequired,
    /// Requests should be pushed, and there is no place for it.
    #[error("requests should be pushed, but it names no pushed_authorization_request_endpoint")]
    NoPushEndpoint,
    /// The configuration takes claims from a place that there is not.
    #[error("it names no userinfo_endpoint, but the configuration takes claims from there")]
    NoUserinfo,
    /// Nothing in common between the configuration and the document.
    #[error("the provider signs ID tokens with none of the accepted algorithms")]
    Algorithms,
}

/// Fetches and checks the metadata.
pub(super) async fn fetch(client: &HttpClient, settings: &Settings) -> Result<Metadata, MetadataError> {
    let reply = client.get(&settings.metadata_url).await?;
    if reply.status != ::http::StatusCode::OK {
        return Err(MetadataError::Status(reply.status));
    }
    read(&reply.body, settings)
}

/// Whether [`fetch`] and [`read`] make the same of the same document for both.
pub(super) fn reads_alike(one: &Settings, other: &Settings) -> bool {
    let shows_certificate =
        |settings: &Settings| matches!(settings.authentication, ClientAuthentication::TlsClient(_));
    one.issuer == other.issuer
        && one.metadata_url == other.metadata_url
        && shows_certificate(one) == shows_certificate(other)
        && one.request.par == other.request.par
        && one.userinfo.when == other.userinfo.when
        && one.algorithms == other.algorithms
}

/// Checks the document (OpenID Connect Discovery 1.0, section 4.3).
pub(super) fn read(document: &[u8], settings: &Settings) -> Result<Metadata, MetadataError> {
    let members = json::object(document)?;
    let found = json::text(&members, "issuer")?;
    if found != &*settings.issuer {
        let found = found.chars().take(200).collect();
        return Err(MetadataError::Issuer { expected: settings.issuer.to_string(), found });
    }
    let optional = |name| {
        let text = json::optional_text(&members, name)?;
        text.map(|text| endpoint(name, text, &settings.metadata_url)).transpose()
    };
    let required = |name| optional(name)?.ok_or(MetadataError::Json(JsonError::Missing(name)));
    // Where the gateway shows a certificate, it may have to go elsewhere (RFC 8705, section 5).
    let aliases = match (&settings.authentication, members.get("mtls_endpoint_aliases")) {
        (ClientAuthentication::TlsClient(_), Some(aliases)) => {
            aliases.as_object().ok_or(JsonError::WrongType("mtls_endpoint_aliases"))?
        }
        _ => &Map::new(),
    };
    let authenticated = |name| match json::optional_text(aliases, name)? {
        Some(text) => endpoint(name, text, &settings.metadata_url).map(Some),
        None => optional(name),
    };
    Ok(Metadata {
        authorization_endpoint: required("authorization_endpoint")?,
        token_endpoint: authenticated("token_endpoint")?.ok_or(JsonError::Missing("token_endpoint"))?,
        jwks_uri: required("jwks_uri")?,
        revocation_endpoint: authenticated("revocation_endpoint")?,
        end_session_endpoint: optional("end_session_endpoint")?,
        push_to: push_to(
            settings.request.par,
            members.get("require_pushed_authorization_requests") == Some(&true.into()),
            authenticated("pushed_authorization_request_endpoint")?,
        )?,
        userinfo_endpoint: userinfo(settings, optional("userinfo_endpoint")?)?,
        sends_issuer: members.get("authorization_response_iss_parameter_supported") == Some(&true.into()),
        prompts: json::optional_texts(&members, "prompt_values_supported")?,
        algorithms: algorithms(
            json::optional_texts(&members, "id_token_signing_alg_values_supported")?,
            settings,
        )?,
    })
}

/// Pushed or not: there is no falling back from one to the other (requirement SI-19).
fn push_to(par: Pushing, is_required: bool, endpoint: Option<Url>) -> Result<Option<Url>, MetadataError> {
    match (par, is_required) {
        (Pushing::Never, true) => Err(MetadataError::PushRequired),
        (Pushing::Never | Pushing::Auto, false) => Ok(None),
        (Pushing::Always, _) | (Pushing::Auto, true) => {
            endpoint.map(Some).ok_or(MetadataError::NoPushEndpoint)
        }
    }
}

fn userinfo(settings: &Settings, endpoint: Option<Url>) -> Result<Option<Url>, MetadataError> {
    if endpoint.is_none() && settings.userinfo.when != When::Never {
        return Err(MetadataError::NoUserinfo);
    }
    Ok(endpoint)
}

/// An endpoint that may be called. Metadata that came by https cannot send secrets to a plain port of this machine.
fn endpoint(name: &'static str, text: &str, metadata: &Url) -> Result<Url, MetadataError> {
    let url = Url::parse(text).map_err(|_| MetadataError::Endpoint(name))?;
    let weaker = metadata.scheme() == "https" && url.scheme() != "https";
    let bare = url.username().is_empty() && url.password().is_none() && url.fragment().is_none();
    if bare && !weaker && http::is_acceptable(&url) { Ok(url) } else { Err(MetadataError::Endpoint(name)) }
}

fn algorithms(listed: Option<Vec<String>>, settings: &Settings) -> Result<Vec<Algorithm>, MetadataError> {
    let Some(listed) = listed else {
        return Ok(settings.algorithms.clone());
    };
    let both =
        settings.algorithms.iter().copied().filter(|one| listed.iter().any(|name| name == one.as_str()));
    let both: Vec<_> = both.collect();
    if both.is_empty() { Err(MetadataError::Algorithms) } else { Ok(both) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oidc::testing;
    use serde_json::{Value, json};

    fn document() -> Value {
        json!({
            "issuer": "http://localhost:3002",
            "authorization_endpoint": "http://localhost:3002/authorize",
            "token_endpoint": "http://localhost:3002/token",
            "jwks_uri": "http://localhost:3002/keys",
            "id_token_signing_alg_values_supported": ["RS256", "HS256"],
            "authorization_response_iss_parameter_supported": true,
        })
    }

    fn read_value(document: &Value) -> Result<Metadata, MetadataError> {
        read(document.to_string().as_bytes(), &testing::settings("http://localhost:3002"))
    }

    #[test]
    fn a_sound_document_is_taken() {
        let metadata = read_value(&document()).expect("sound");
        assert_eq!(metadata.token_endpoint.as_str(), "http://localhost:3002/token");
        assert!(metadata.sends_issuer);
        assert_eq!(metadata.revocation_endpoint, None);
        assert_eq!(metadata.algorithms, [Algorithm::RS256]);
    }

    #[test]
    fn another_issuer_is_refused_however_alike() {
        for other in [
            "http://localhost:3002/",
            "http://LOCALHOST:3002",
            "http://localhost",
            "https://localhost:3002",
            "",
        ] {
            let mut document = document();
            document["issuer"] = other.into();
            assert!(matches!(read_value(&document), Err(MetadataError::Issuer { .. })), "{other}");
        }
        let mut document = document();
        document["issuer"] = json!(["http://localhost:3002"]);
        assert!(matches!(read_value(&document), Err(MetadataError::Json(JsonError::WrongType("issuer")))));
    }

    #[test]
    fn the_issuers_host_may_differ_from_every_endpoints() {
        let issuer = "https://7f3c1a52-9d0e-4b6f-8a21-c5d4e3f2a1b0.ciamlogin.com/7f3c1a52-9d0e-4b6f-8a21-c5d4e3f2a1b0/v2.0";
        let mut document = document();
        document["issuer"] = issuer.into();
        let read = read(document.to_string().as_bytes(), &testing::settings(issuer));
        assert!(read.is_ok());
    }

    #[test]
    fn endpoints_that_would_leak_are_refused() {
        for bad in [
            "http://login.example/token",
            "ftp://localhost/token",
            "https://user@login.example/token",
            "https://a.example/#x",
            "token",
            "",
        ] {
            for name in [
                "token_endpoint",
                "jwks_uri",
                "authorization_endpoint",
                "revocation_endpoint",
                "end_session_endpoint",
            ] {
                let mut document = document();
                document[name] = bad.into();
                assert!(matches!(read_value(&document), Err(MetadataError::Endpoint(_))), "{name} {bad}");
            }
        }
    }

    #[test]
    fn a_document_without_an_endpoint_is_refused() {
        for name in ["token_endpoint", "jwks_uri", "authorization_endpoint", "issuer"] {
            let mut document = document();
            document.as_object_mut().expect("an object").remove(name);
            assert!(
                matches!(read_value(&document), Err(MetadataError::Json(JsonError::Missing(_)))),
                "{name}"
            );
        }
    }

    #[test]
    fn a_client_that_shows_a_certificate_goes_where_certificates_are_taken() {
        use crate::oidc::client::certificate::tests::Authority;
        let mut document = document();
        document["revocation_endpoint"] = "http://localhost:3002/revoke".into();
        document["mtls_endpoint_aliases"] = json!({"token_endpoint": "http://localhost:3009/token"});
        assert_eq!(read_value(&document).expect("sound").token_endpoint.port(), Some(3002));
        let authentication = ClientAuthentication::TlsClient(Authority::new().client());
        let settings = Settings { authentication, ..testing::settings("http://localhost:3002") };
        let metadata = read(document.to_string().as_bytes(), &settings).expect("sound");
        assert_eq!(metadata.token_endpoint.port(), Some(3009));
        let revocation = metadata.revocation_endpoint.expect("there is one");
        assert_eq!(revocation.port(), Some(3002), "without an alias the endpoint is the ordinary one");
        document["mtls_endpoint_aliases"]["token_endpoint"] = "http://login.example/token".into();
        let refused = read(document.to_string().as_bytes(), &settings).expect_err("plain http");
        assert!(matches!(refused, MetadataError::Endpoint("token_endpoint")));
        document["mtls_endpoint_aliases"] = json!([]);
        assert!(read(document.to_string().as_bytes(), &settings).is_err());
    }

    #[test]
    fn requests_are_pushed_where_the_configuration_or_the_provider_wants_it() {
        let endpoint = || Url::parse("http://localhost:3002/par").ok();
        for (par, is_required, expected) in [
            (Pushing::Auto, false, None),
            (Pushing::Auto, true, endpoint()),
            (Pushing::Always, false, endpoint()),
            (Pushing::Always, true, endpoint()),
            (Pushing::Never, false, None),
        ] {
            assert_eq!(push_to(par, is_required, endpoint()).expect("possible"), expected, "{par:?}");
        }
        assert!(matches!(push_to(Pushing::Never, true, endpoint()), Err(MetadataError::PushRequired)));
        assert!(matches!(push_to(Pushing::Auto, true, None), Err(MetadataError::NoPushEndpoint)));
        assert!(matches!(push_to(Pushing::Always, false, None), Err(MetadataError::NoPushEndpoint)));
        assert_eq!(push_to(Pushing::Auto, false, None).expect("possible"), None);
    }

    #[test]
    fn metadata_narrows_the_algorithms_and_never_widens_them() {
        let mut document = document();
        document["id_token_signing_alg_values_supported"] = json!(["HS256", "none", "ES256"]);
        assert!(matches!(read_value(&document), Err(MetadataError::Algorithms)));
        document.as_object_mut().expect("an object").remove("id_token_signing_alg_values_supported");
        assert_eq!(read_value(&document).expect("sound").algorithms, [Algorithm::RS256]);
    }
}
