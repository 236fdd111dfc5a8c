//! Fetches an issuer's keys: discovery document, then key set. Bounded in time and size, follows no redirects, and
//! believes a document only if it names the issuer that was asked for. Knows nothing of caching.

use std::sync::Arc;
use std::time::Duration;

use axum::http::{Request, StatusCode, Uri, header};
use bytes::Bytes;
use http_body_util::{BodyExt, Empty, LengthLimitError, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::{Client, connect::HttpConnector};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use serde_json::Value;
use url::Url;

use super::key::VerifyingKey;
use crate::auth::issuer::{Issuer, is_https_or_loopback};

/// Larger answers are not read to their end.
const MAX_BODY: usize = 1024 * 1024;
/// Keys beyond this number are not looked at.
const MAX_KEYS: usize = 100;

/// The HTTP client for talking to issuers. It never follows a redirect.
pub(crate) type HttpClient = Client<HttpsConnector<HttpConnector>, Empty<Bytes>>;

/// TLS could not be set up.
#[derive(Debug, thiserror::Error)]
#[error("TLS for calls to the issuers cannot be set up")]
pub struct TlsSetup(#[from] rustls::Error);

/// Builds the client: the machine's trusted roots, TLS 1.2 or later, no way to turn verification off.
pub(crate) fn http_client() -> Result<HttpClient, TlsSetup> {
    let mut roots = rustls::RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    let tls =
        rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
    let connector = HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http().enable_http1().build();
    // Fetches are minutes apart: an idle connection would be dead by then.
    Ok(Client::builder(TokioExecutor::new())
        .pool_timer(TokioTimer::new())
        .pool_max_idle_per_host(0)
        .build(connector))
}

/// Why the keys could not be had.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FetchError {
    #[error("the address {0} is not https, nor http on loopback")]
    Address(String),
    #[error("no answer within the time allowed")]
    Timeout,
    #[error("the request failed")]
    Request(#[source] hyper_util::client::legacy::Error),
    #[error("the answer broke off")]
    Body(#[source] Box<dyn std::error::Error + Send + Sync>),
    #[error("the answer is larger than {MAX_BODY} bytes")]
    TooLarge,
    #[error("the answer has status {0}")]
    Status(StatusCode),
    #[error("the answer is not JSON")]
    NotJson(#[source] serde_json::Error),
    #[error("the discovery document is of another issuer")]
    WrongIssuer,
    #[error("the discovery document names no key set")]
    NoKeySetAddress,
    #[error("the answer is not a key set")]
    NotAKeySet,
}

/// Where one issuer's keys come from.
pub(crate) struct KeySource {
    issuer: String,
    discovery_url: String,
    client: HttpClient,
    /// For a whole fetch: both requests, from connecting to the last byte.
    timeout: Duration,
}

impl KeySource {
    pub(crate) fn new(issuer: &Issuer, client: HttpClient, timeout: Duration) -> Self {
        Self { issuer: issuer.issuer.clone(), discovery_url: issuer.discovery_url(), client, timeout }
    }

    pub(crate) fn issuer(&self) -> &str {
        &self.issuer
    }

    pub(crate) async fn fetch(&self) -> Result<Vec<VerifyingKey>, FetchError> {
        tokio::time::timeout(self.timeout, self.discover_and_fetch())
            .await
            .unwrap_or(Err(FetchError::Timeout))
    }

    /// The discovery document is read anew each time, so that a moved key set is found.
    async fn discover_and_fetch(&self) -> Result<Vec<VerifyingKey>, FetchError> {
        let metadata = self.get_json(&self.discovery_url).await?;
        if metadata["issuer"].as_str() != Some(self.issuer.as_str()) {
            return Err(FetchError::WrongIssuer);
        }
        let address = metadata["jwks_uri"].as_str().ok_or(FetchError::NoKeySetAddress)?;
        let set = self.get_json(address).await?;
        self.usable_keys(&set)
    }

    /// A key that cannot be used is passed over; it does not spoil the others.
    fn usable_keys(&self, set: &Value) -> Result<Vec<VerifyingKey>, FetchError> {
        let published = set["keys"].as_array().ok_or(FetchError::NotAKeySet)?;
        if published.len() > MAX_KEYS {
            let count = published.len();
            tracing::warn!(target: "keys", issuer = self.issuer, count, "only the first {MAX_KEYS} keys are used");
        }
        let mut usable = Vec::new();
        for (position, jwk) in published.iter().take(MAX_KEYS).enumerate() {
            match VerifyingKey::from_jwk(jwk) {
                Ok(key) => usable.push(key),
                Err(why) => {
                    tracing::debug!(target: "keys", issuer = self.issuer, position, %why, "a key is passed over");
                }
            }
        }
        Ok(usable)
    }

    async fn get_json(&self, address: &str) -> Result<Value, FetchError> {
        let body = self.get(address).await?;
        serde_json::from_slice(&body).map_err(FetchError::NotJson)
    }

    async fn get(&self, address: &str) -> Result<Bytes, FetchError> {
        let response = self.client.request(request(address)?).await.map_err(FetchError::Request)?;
        if response.status() != StatusCode::OK {
            return Err(FetchError::Status(response.status()));
        }
        let body = Limited::new(response.into_body(), MAX_BODY).collect().await.map_err(|error| {
            if error.is::<LengthLimitError>() { FetchError::TooLarge } else { FetchError::Body(error) }
        })?;
        Ok(body.to_bytes())
    }
}

fn request(address: &str) -> Result<Request<Empty<Bytes>>, FetchError> {
    let refused = || FetchError::Address(address.chars().filter(|c| !c.is_control()).take(200).collect());
    let url = Url::parse(address).map_err(|_| refused())?;
    if !is_https_or_loopback(&url) {
        return Err(refused());
    }
    let uri: Uri = url.as_str().parse().map_err(|_| refused())?;
    Request::get(uri).header(header::ACCEPT, "application/json").body(Empty::new()).map_err(|_| refused())
}
