//! Which Redis holds the sessions, and how to get there. Reads addresses as people write them; knows nothing of
//! configuration files.

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use percent_encoding::percent_decode_str;
use url::Url;

use crate::origin::is_loopback_name;
use crate::secret::Secret;

/// What every key begins with if nothing else is said.
pub const DEFAULT_PREFIX: &str = "gateway:";

const PORT: u16 = 6379;
const SENTINEL_PORT: u16 = 26379;
const MAX_PREFIX: usize = 64;

/// Everything there is to say about a Redis or Valkey.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where it is.
    pub mode: Mode,
    /// Nothing: plain TCP. The same holds for Sentinels.
    pub tls: Option<Tls>,
    /// The ACL user; without one a password is that of the default user.
    pub username: Option<String>,
    /// Its password.
    pub password: Option<Secret<String>>,
    /// 0 with Cluster.
    pub database: u16,
    /// Begins every key and the channel, so that others may use the same Redis. At most 64 visible ASCII characters.
    pub prefix: String,
    /// How long one try to connect may take, log-in included; with Sentinel and Cluster twice as long.
    pub connect_timeout: Duration,
    /// How long one answer may take.
    pub response_timeout: Duration,
}

/// Where the server is that may be written to.
#[derive(Clone, Debug, PartialEq)]
pub enum Mode {
    /// There.
    Single(Address),
    /// Where Sentinels say that it is.
    Sentinel(Sentinels),
    /// On the nodes of a Redis Cluster, which any of these names.
    Cluster(Vec<Address>),
}

impl Settings {
    /// Whether both mean the same keys on the same servers, reached in the same way.
    pub(in crate::session) fn is_same(&self, other: &Self) -> bool {
        let rest = |settings: &Self| {
            let Self {
                mode,
                tls,
                username,
                database,
                prefix,
                connect_timeout,
                response_timeout,
                password: _,
            } = settings.clone();
            (mode, tls, username, database, prefix, connect_timeout, response_timeout)
        };
        rest(self) == rest(other) && are_same(self.password.as_ref(), other.password.as_ref())
    }
}

impl PartialEq for Sentinels {
    fn eq(&self, other: &Self) -> bool {
        self.addresses == other.addresses
            && self.master == other.master
            && self.username == other.username
            && are_same(self.password.as_ref(), other.password.as_ref())
    }
}

fn are_same(one: Option<&Secret<String>>, other: Option<&Secret<String>>) -> bool {
    match (one, other) {
        (Some(one), Some(other)) => one.matches(other.expose()),
        (one, other) => one.is_none() && other.is_none(),
    }
}

/// Who knows which server is the master.
#[derive(Clone, Debug)]
pub struct Sentinels {
    /// All of them are asked at once.
    pub addresses: Vec<Address>,
    /// The name under which they watch it.
    pub master: String,
    /// The Sentinels' own ACL user.
    pub username: Option<String>,
    /// The Sentinels' own password.
    pub password: Option<Secret<String>>,
}

/// TLS, with names checked.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Tls {
    /// Certificate authorities in PEM, which are trusted instead of the machine's.
    pub private_ca: Option<Vec<u8>>,
}

/// A host, by name or number, and a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// Without brackets.
    pub host: String,
    /// TCP.
    pub port: u16,
}

/// Why this cannot be the address of a Redis. Never shows an address that might hold a password.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum SettingError {
    /// No URL.
    #[error(
        "this is not an address: write it as redis://host:6379 or, with TLS, rediss://user:password@host:6379/0"
    )]
    NotUrl,
    /// Some other protocol.
    #[error("the address begins with `{0}://`: write redis:// or, with TLS, rediss://")]
    Scheme(String),
    /// `redis:///0`.
    #[error("the address names no host: write it as redis://host:6379")]
    NoHost,
    /// Something after the host that is no number.
    #[error("the address ends in `{0}`, which is no database: write /0 to /65535, or leave it out")]
    Database(String),
    /// `?…` or `#…`.
    #[error("the address has a part after `?` or `#`: leave it out, it has no meaning here")]
    Extra,
    /// Percent signs that decode to no text.
    #[error(
        "user name or password in the address is not UTF-8 once percent signs are decoded: encode it anew"
    )]
    Undecodable,
    /// A user who cannot log in.
    #[error("the address names a user without a password: write redis://user:password@host, or neither")]
    UserAlone,
    /// A list without entries.
    #[error("no address is given: name at least one")]
    NoAddress,
    /// Nodes that disagree.
    #[error("the addresses of one cluster must agree in redis:// or rediss://, user name and password")]
    ClusterDiffers,
    /// A cluster has one database.
    #[error("a cluster has database 0 only: leave the number out")]
    ClusterDatabase,
    /// A Sentinel that cannot be found.
    #[error("`{0}` is not the address of a Sentinel: write host:26379")]
    Sentinel(String),
    /// Sentinels that watch nobody.
    #[error("the master has no name: write the one after `sentinel monitor` in the Sentinels' configuration")]
    NoMaster,
    /// Keys that would be hard to find again.
    #[error("the prefix `{0}` must have 1 to 64 visible ASCII characters, no blank among them")]
    Prefix(String),
}

impl Settings {
    /// One server: `redis://host`, `rediss://user:password@host:6379/0`. `valkey` may stand for `redis`.
    pub fn single(url: &str) -> Result<Self, SettingError> {
        let parsed = ParsedUrl::parse(url)?;
        Ok(parsed.settings(Mode::Single))
    }

    /// The nodes of a cluster, at least one that is up, each as in [`Self::single`].
    pub fn cluster<T: AsRef<str>>(urls: &[T]) -> Result<Self, SettingError> {
        let mut nodes =
            urls.iter().map(|url| ParsedUrl::parse(url.as_ref())).collect::<Result<Vec<_>, _>>()?;
        if nodes.iter().any(|node| node.database != 0) {
            return Err(SettingError::ClusterDatabase);
        }
        if nodes.windows(2).any(|pair| !pair[0].agrees(&pair[1])) {
            return Err(SettingError::ClusterDiffers);
        }
        let addresses = nodes.iter().map(|node| node.address.clone()).collect();
        let first = nodes.pop().ok_or(SettingError::NoAddress)?;
        Ok(first.settings(|_| Mode::Cluster(addresses)))
    }

    /// Sentinels as `host`, `host:26379` or `[::1]:26379`, and the name of the master they watch. Passwords, TLS and the
    /// database are set in the fields.
    pub fn sentinel<T: AsRef<str>>(addresses: &[T], master: &str) -> Result<Self, SettingError> {
        if master.trim().is_empty() {
            return Err(SettingError::NoMaster);
        }
        let addresses =
            addresses.iter().map(|text| sentinel_address(text.as_ref())).collect::<Result<Vec<_>, _>>()?;
        if addresses.is_empty() {
            return Err(SettingError::NoAddress);
        }
        let sentinels = Sentinels { addresses, master: master.to_owned(), username: None, password: None };
        Ok(Self::at(Mode::Sentinel(sentinels)))
    }

    /// Without TLS, user or password, and with the usual time-outs.
    pub fn at(mode: Mode) -> Self {
        Self {
            mode,
            tls: None,
            username: None,
            password: None,
            database: 0,
            prefix: DEFAULT_PREFIX.to_owned(),
            connect_timeout: Duration::from_secs(1),
            response_timeout: Duration::from_millis(500),
        }
    }

    /// Whether a password leaves this machine for all to read on the way: no TLS and a host that is not this one.
    pub fn sends_password_in_the_clear(&self) -> bool {
        let own = match &self.mode {
            Mode::Sentinel(sentinels) => sentinels.password.is_some(),
            Mode::Single(_) | Mode::Cluster(_) => false,
        };
        self.tls.is_none()
            && (own || self.password.is_some())
            && self.mode.addresses().iter().any(|address| !address.is_loopback())
    }

    /// What the fields allow and a Redis does not.
    pub fn check(&self) -> Result<(), SettingError> {
        if self.mode.addresses().is_empty() {
            return Err(SettingError::NoAddress);
        }
        if matches!(self.mode, Mode::Cluster(_)) && self.database != 0 {
            return Err(SettingError::ClusterDatabase);
        }
        if self.username.is_some() && self.password.is_none() {
            return Err(SettingError::UserAlone);
        }
        let visible = self.prefix.bytes().all(|byte| byte.is_ascii_graphic());
        if self.prefix.is_empty() || self.prefix.len() > MAX_PREFIX || !visible {
            return Err(SettingError::Prefix(self.prefix.clone()));
        }
        Ok(())
    }
}

impl Mode {
    /// Those that are asked first.
    pub fn addresses(&self) -> &[Address] {
        match self {
            Self::Single(address) => std::slice::from_ref(address),
            Self::Sentinel(sentinels) => &sentinels.addresses,
            Self::Cluster(addresses) => addresses,
        }
    }
}

impl Address {
    /// Whether it is on this machine.
    pub fn is_loopback(&self) -> bool {
        is_loopback_name(&self.host) || self.host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls").field("private_ca", &self.private_ca.is_some()).finish()
    }
}

/// The parts of one URL.
struct ParsedUrl {
    tls: bool,
    username: Option<String>,
    password: Option<Secret<String>>,
    address: Address,
    database: u16,
}

impl ParsedUrl {
    fn parse(text: &str) -> Result<Self, SettingError> {
        let url = Url::parse(text).map_err(|_| SettingError::NotUrl)?;
        let tls = match url.scheme() {
            "redis" | "valkey" => false,
            "rediss" | "valkeys" => true,
            // `host:6379` is a URL of the protocol `host`, which is not what anybody meant.
            _ if url.cannot_be_a_base() => return Err(SettingError::NotUrl),
            other => return Err(SettingError::Scheme(other.to_owned())),
        };
        if url.query().is_some() || url.fragment().is_some() {
            return Err(SettingError::Extra);
        }
        let host = url.host_str().filter(|host| !host.is_empty()).ok_or(SettingError::NoHost)?;
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let username = Some(url.username()).filter(|name| !name.is_empty()).map(decoded).transpose()?;
        let password =
            url.password().filter(|word| !word.is_empty()).map(decoded).transpose()?.map(Secret::new);
        if username.is_some() && password.is_none() {
            return Err(SettingError::UserAlone);
        }
        let database = database(url.path())?;
        let address = Address { host, port: url.port().unwrap_or(PORT) };
        Ok(Self { tls, username, password, address, database })
    }

    fn agrees(&self, other: &Self) -> bool {
        let same_password = match (&self.password, &other.password) {
            (Some(one), Some(two)) => one.matches(two.expose()),
            (None, None) => true,
            _ => false,
        };
        self.tls == other.tls && self.username == other.username && same_password
    }

    fn settings(self, mode: impl FnOnce(Address) -> Mode) -> Settings {
        Settings {
            tls: self.tls.then(Tls::default),
            username: self.username,
            password: self.password,
            database: self.database,
            ..Settings::at(mode(self.address))
        }
    }
}

fn decoded(part: &str) -> Result<String, SettingError> {
    let text = percent_decode_str(part).decode_utf8().map_err(|_| SettingError::Undecodable)?;
    Ok(text.into_owned())
}

fn database(path: &str) -> Result<u16, SettingError> {
    let number = path.strip_prefix('/').unwrap_or(path);
    if number.is_empty() {
        return Ok(0);
    }
    // `parse` alone would take a plus sign.
    let digits = number.bytes().all(|byte| byte.is_ascii_digit());
    number.parse().ok().filter(|_| digits).ok_or_else(|| SettingError::Database(path.to_owned()))
}

/// `host`, `host:port`, `[address]:port`.
fn sentinel_address(text: &str) -> Result<Address, SettingError> {
    let refuse = || {
        // Whoever wrote a whole URL may have written a password, too.
        let shown = text.rsplit_once('@').map_or(text, |(_, place)| place);
        SettingError::Sentinel(shown.to_owned())
    };
    let url = Url::parse(&format!("sentinel://{text}")).map_err(|_| refuse())?;
    let bare = url.username().is_empty()
        && url.password().is_none()
        && matches!(url.path(), "" | "/")
        && url.query().is_none()
        && url.fragment().is_none();
    let host = url.host_str().filter(|host| bare && !host.is_empty()).ok_or_else(refuse)?;
    let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
    Ok(Address { host, port: url.port().unwrap_or(SENTINEL_PORT) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(host: &str, port: u16) -> Address {
        Address { host: host.to_owned(), port }
    }

    #[test]
    fn an_address_says_everything_about_one_server() {
        let settings = Settings::single("rediss://ali%40ce:p%2Fw@redis.example:7000/3").expect("valid");
        assert!(matches!(&settings.mode, Mode::Single(found) if *found == address("redis.example", 7000)));
        assert!(settings.tls.is_some());
        assert_eq!(settings.username.as_deref(), Some("ali@ce"));
        assert_eq!(settings.password.as_ref().map(|word| word.expose().as_str()), Some("p/w"));
        assert_eq!((settings.database, settings.prefix.as_str()), (3, "gateway:"));
        assert_eq!(settings.check(), Ok(()));
    }

    #[test]
    fn what_is_left_out_has_the_usual_value() {
        let settings = Settings::single("redis://[::1]").expect("valid");
        assert!(matches!(&settings.mode, Mode::Single(found) if *found == address("::1", 6379)));
        assert!(settings.tls.is_none() && settings.username.is_none() && settings.password.is_none());
        let settings = Settings::single("valkey://:word@localhost").expect("valid");
        assert!(settings.username.is_none() && settings.password.is_some());
    }

    #[test]
    fn each_mistake_in_an_address_has_its_own_name_and_shows_no_password() {
        use SettingError as E;
        for (text, expected) in [
            ("", E::NotUrl),
            ("localhost:6379", E::NotUrl),
            ("http://host", E::Scheme("http".to_owned())),
            ("redis:///0", E::NoHost),
            ("redis://host/first", E::Database("/first".to_owned())),
            ("redis://host/+1", E::Database("/+1".to_owned())),
            ("redis://host/65536", E::Database("/65536".to_owned())),
            ("redis://:hunter2@host?protocol=3", E::Extra),
            ("redis://user@host", E::UserAlone),
            ("redis://user:%ff@host", E::Undecodable),
        ] {
            let error = Settings::single(text).expect_err(text);
            assert!(!error.to_string().contains("hunter2"));
            assert_eq!(error, expected, "{text}");
        }
    }

    #[test]
    fn the_nodes_of_a_cluster_must_agree() {
        let nodes = ["rediss://u:p@one:1", "rediss://u:p@two:2"];
        let settings = Settings::cluster(&nodes).expect("valid");
        assert!(
            matches!(&settings.mode, Mode::Cluster(found) if *found == [address("one", 1), address("two", 2)])
        );
        assert!(settings.tls.is_some() && settings.password.is_some());
        for other in ["redis://u:p@two", "rediss://v:p@two", "rediss://u:q@two", "rediss://two"] {
            let error = Settings::cluster(&["rediss://u:p@one", other]).expect_err(other);
            assert_eq!(error, SettingError::ClusterDiffers);
        }
        assert_eq!(Settings::cluster(&["redis://one/1"]).expect_err("1"), SettingError::ClusterDatabase);
        assert_eq!(Settings::cluster::<&str>(&[]).expect_err("none"), SettingError::NoAddress);
    }

    #[test]
    fn sentinels_are_hosts_and_ports() {
        let settings = Settings::sentinel(&["one", "two:7", "[::1]:8"], "mymaster").expect("valid");
        let Mode::Sentinel(found) = &settings.mode else { panic!("{settings:?}") };
        assert_eq!(found.addresses, [address("one", 26379), address("two", 7), address("::1", 8)]);
        for text in ["", "one:x", "redis://:hunter2@one", "u:hunter2@one", "one/0"] {
            let error = Settings::sentinel(&[text], "mymaster").expect_err(text);
            assert!(matches!(error, SettingError::Sentinel(_)), "{text}: {error}");
            assert!(!error.to_string().contains("hunter2"));
        }
        assert_eq!(Settings::sentinel(&["one"], " ").expect_err("name"), SettingError::NoMaster);
        assert_eq!(Settings::sentinel::<&str>(&[], "m").expect_err("none"), SettingError::NoAddress);
    }

    #[test]
    fn a_password_on_an_open_line_is_noticed() {
        for (url, clear) in [
            ("redis://:p@redis.example", true),
            ("redis://redis.example", false),
            ("rediss://:p@redis.example", false),
            ("redis://:p@localhost", false),
            ("redis://:p@127.0.0.2", false),
            ("redis://:p@[::1]", false),
        ] {
            assert_eq!(Settings::single(url).expect(url).sends_password_in_the_clear(), clear, "{url}");
        }
        let mut sentinels = Settings::sentinel(&["redis.example"], "m").expect("valid");
        assert!(!sentinels.sends_password_in_the_clear());
        sentinels.password = Some(Secret::new("p".to_owned()));
        assert!(sentinels.sends_password_in_the_clear());
    }

    #[test]
    fn fields_are_checked_as_addresses_are() {
        let good = Settings::single("redis://host").expect("valid");
        for prefix in ["", "a b", "ä:", &"x".repeat(65)] {
            let settings = Settings { prefix: prefix.to_owned(), ..good.clone() };
            assert_eq!(settings.check(), Err(SettingError::Prefix(prefix.to_owned())));
        }
        let user_alone = Settings { username: Some("u".to_owned()), ..good.clone() };
        assert_eq!(user_alone.check(), Err(SettingError::UserAlone));
        let cluster = Settings { database: 1, ..Settings::cluster(&["redis://host"]).expect("valid") };
        assert_eq!(cluster.check(), Err(SettingError::ClusterDatabase));
        assert_eq!(good.check(), Ok(()));
    }

    #[test]
    fn settings_are_printed_without_their_passwords() {
        let mut settings = Settings::single("rediss://u:hunter2@host").expect("valid");
        settings.tls = Some(Tls { private_ca: Some(b"hunter3".to_vec()) });
        let text = format!("{settings:?}");
        assert!(text.contains("host") && !text.contains("hunter"), "{text}");
    }
}
