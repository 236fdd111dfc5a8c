//! Certificates that the gateway gets for itself (RFC 8555): ordered when there is none or two thirds of its time are
//! over, by one gateway at a time, while the old one stays in use. Whatever goes wrong is tried again, later each time.

mod client;
mod files;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use instant_acme::{
    Account, AccountCredentials, AuthorizationStatus, ChallengeType, Identifier, NewAccount, NewOrder, Order,
    OrderStatus, RetryPolicy,
};

use crate::clock::{Clock, Timestamp};
use crate::secret::Secret;
use crate::stop::causes;

use super::challenge::ChallengeError;
use super::{Pair, Source, Tls};

use files::{Files, Lock};

/// `[tls] acme`, resolved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The authority's directory.
    pub directory: String,
    /// Whom it may write to: `mailto:` addresses.
    pub contact: Vec<String>,
    /// The folder of the account and the certificate.
    pub account: PathBuf,
    /// How names are proved.
    pub challenge: Challenge,
    /// The names.
    pub domains: Vec<String>,
    /// Authorities that the directory's own certificate is checked by, instead of the machine's.
    pub ca: Option<PathBuf>,
}

/// How a name is proved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Challenge {
    /// By a certificate on port 443 (RFC 8737).
    TlsAlpn01,
    /// By a file on port 80 (RFC 8555, section 8.3).
    Http01,
}

impl Settings {
    /// Where the certificate is kept.
    pub fn source(&self) -> Source {
        Source {
            certificate: self.account.join("certificate.pem"),
            key: self.account.join("certificate.key"),
        }
    }

    /// Whether that certificate is for all the names that are wanted.
    fn is_covered_by(&self, pair: &Pair) -> bool {
        self.domains.iter().all(|domain| pair.names.cover(domain))
    }
}

/// Why there is no new certificate.
#[derive(Debug, thiserror::Error)]
enum AcmeError {
    #[error("the authority refuses, or cannot be reached")]
    Authority(#[from] instant_acme::Error),
    #[error("the certificate authority cannot be called")]
    Client(#[from] client::ClientError),
    #[error("the account's folder cannot be used")]
    Files(#[from] std::io::Error),
    #[error("a challenge cannot be answered")]
    Challenge(#[from] ChallengeError),
    #[error("the authority offers no {0:?} for {1}")]
    NotOffered(Challenge, String),
    #[error("the authority could not verify the names: the order is {0:?}")]
    NotVerified(OrderStatus),
    #[error("the account's file cannot be read; remove it to open a new account")]
    Account(#[source] serde_json::Error),
    #[error("the authority's certificate cannot be used")]
    Pair(#[from] super::PairError),
    #[error("the authority's certificate is not for all the names")]
    OtherNames,
}

/// After the first failure, the second, and so on; the last for all that follow. Authorities count failures by the hour.
const PAUSES: [Duration; 5] = [
    Duration::from_mins(1),
    Duration::from_mins(5),
    Duration::from_mins(15),
    Duration::from_hours(1),
    Duration::from_hours(3),
];
/// However short a certificate's time is, there is no other so soon: authorities count those too.
const AT_LEAST: Duration = Duration::from_hours(1);
/// How often it is looked whether a certificate is due.
pub const LOOK_EVERY: Duration = Duration::from_secs(2);
/// How long an authority may take to verify, and to sign.
const PATIENCE: RetryPolicy =
    RetryPolicy::new().initial_delay(Duration::from_millis(250)).timeout(Duration::from_secs(90));

/// Keeps the certificate of one account. Runs off the request path, for as long as the process does.
pub struct Keeper {
    settings: Settings,
    tls: Arc<Tls>,
    clock: Clock,
    failures: usize,
    not_before: Timestamp,
}

impl Keeper {
    /// For these names.
    pub fn new(settings: Settings, tls: Arc<Tls>, clock: Clock) -> Self {
        let not_before = clock.now();
        Self { settings, tls, clock, failures: 0, not_before }
    }

    /// Orders a certificate if one is due. Called every [`LOOK_EVERY`].
    pub async fn tend(&mut self) {
        let now = self.clock.now();
        if now < self.not_before || !self.is_due(now) {
            return;
        }
        let files = Files::new(&self.settings);
        match self.order_alone(&files).await {
            Ok(Some(())) => {
                self.failures = 0;
                self.not_before = now.plus(AT_LEAST);
                tracing::info!(target: "gateway", domains = self.settings.domains.join(" "), "a new certificate");
                self.tls.reload();
            }
            // Another gateway orders; its certificate is in the same files.
            Ok(None) => self.not_before = now.plus(LOOK_EVERY),
            Err(error) => {
                let pause = PAUSES[self.failures.min(PAUSES.len() - 1)];
                self.failures += 1;
                self.not_before = now.plus(pause);
                let (error, again) = (causes(&error), self.not_before.rfc3339());
                tracing::error!(target: "gateway", error, again, "no new certificate; the old one, if any, stays");
            }
        }
        self.tls.challenges().forget();
    }

    /// No certificate, one for other names, or one of which two thirds are over.
    fn is_due(&self, now: Timestamp) -> bool {
        let pair = Pair::read(&self.settings.source()).ok();
        let pair = pair.filter(|pair| self.settings.is_covered_by(pair));
        pair.is_none_or(|pair| now >= renewal(&pair))
    }

    /// Nothing if another gateway is at it.
    async fn order_alone(&self, files: &Files) -> Result<Option<()>, AcmeError> {
        files.prepare()?;
        let Some(_lock) = Lock::take(files)? else {
            return Ok(None);
        };
        // Perhaps it was done while the lock was another's.
        if self.is_due(self.clock.now()) {
            let (chain, key) = self.order(files).await?;
            let pair = Pair::parse(chain.as_bytes(), key.expose().as_bytes())?;
            if !self.settings.is_covered_by(&pair) {
                return Err(AcmeError::OtherNames);
            }
            Files::keep(&self.settings.source(), &chain, &key)?;
        }
        Ok(Some(()))
    }

    async fn order(&self, files: &Files) -> Result<(String, Secret<String>), AcmeError> {
        let account = self.account(files).await?;
        let names: Vec<Identifier> = self.settings.domains.iter().cloned().map(Identifier::Dns).collect();
        let mut order = account.new_order(&NewOrder::new(&names)).await?;
        self.answer(&mut order).await?;
        let status = order.poll_ready(&PATIENCE).await?;
        if status != OrderStatus::Ready {
            return Err(AcmeError::NotVerified(status));
        }
        // A key of its own for each certificate: P-256, made here.
        let key = Secret::new(order.finalize().await?);
        Ok((order.poll_certificate(&PATIENCE).await?, key))
    }

    /// Puts up what proves each name, and has the authority look.
    async fn answer(&self, order: &mut Order) -> Result<(), AcmeError> {
        let wanted = match self.settings.challenge {
            Challenge::TlsAlpn01 => ChallengeType::TlsAlpn01,
            Challenge::Http01 => ChallengeType::Http01,
        };
        let mut authorizations = order.authorizations();
        while let Some(authorization) = authorizations.next().await {
            let mut authorization = authorization?;
            if authorization.status == AuthorizationStatus::Valid {
                continue;
            }
            let name = authorization.identifier().to_string();
            let not_offered = || AcmeError::NotOffered(self.settings.challenge, name.clone());
            let mut challenge = authorization.challenge(wanted.clone()).ok_or_else(not_offered)?;
            let proof = challenge.key_authorization();
            match self.settings.challenge {
                Challenge::TlsAlpn01 => self.tls.challenges().show(&name, proof.digest().as_ref())?,
                Challenge::Http01 => self.tls.challenges().answer(&challenge.token, proof.as_str()),
            }
            challenge.set_ready().await?;
        }
        Ok(())
    }

    /// The account that was opened before, or a new one.
    async fn account(&self, files: &Files) -> Result<Account, AcmeError> {
        let client = Box::new(client::HttpsClient::new(self.settings.ca.as_deref())?);
        let builder = Account::builder_with_http(client);
        if let Some(known) = files.account()? {
            let known: AccountCredentials =
                serde_json::from_slice(known.expose()).map_err(AcmeError::Account)?;
            return Ok(builder.from_credentials(known).await?);
        }
        let contact: Vec<&str> = self.settings.contact.iter().map(String::as_str).collect();
        let wish =
            NewAccount { contact: &contact, terms_of_service_agreed: true, only_return_existing: false };
        let (account, opened) = builder.create(&wish, self.settings.directory.clone(), None).await?;
        let opened = Secret::new(serde_json::to_string(&opened).map_err(AcmeError::Account)?);
        files.keep_account(&opened)?;
        Ok(account)
    }
}

/// When two thirds of a certificate's time are over.
fn renewal(pair: &Pair) -> Timestamp {
    let third = pair.not_after.since(pair.not_before) / 3;
    pair.not_after.minus(third)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tls::pair::tests::pair;

    #[test]
    fn a_certificate_is_renewed_when_two_thirds_of_its_time_are_over() {
        let pair =
            Pair { not_before: Timestamp(0), not_after: Timestamp(90 * 86_400), ..pair(&["a.example"]) };
        assert_eq!(renewal(&pair), Timestamp(60 * 86_400));
    }
}
