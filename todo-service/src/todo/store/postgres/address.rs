//! Where a PostgreSQL database is: `postgres://HOST:PORT/NAME`, or a Unix socket's folder. Refuses to know who logs in.

use std::fmt;
use std::net::IpAddr;

use url::{Host, Url};

const DEFAULT_PORT: u16 = 5432;

/// A database and the server that has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Address {
    /// A name, an address without brackets, or the folder of a Unix socket (then it begins with a slash).
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) database: String,
}

impl Address {
    /// Whether the text means PostgreSQL at all.
    pub(crate) fn is_meant_by(text: &str) -> bool {
        text.starts_with("postgres:") || text.starts_with("postgresql:")
    }

    /// Reads an address; the error says what to do.
    pub(crate) fn parse(text: &str) -> Result<Self, &'static str> {
        let url = Url::parse(text)
            .ok()
            .filter(|_| Self::is_meant_by(text))
            .ok_or("is not an address; write, for example, \"postgres://db.example:5432/todo\"")?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(
                "must not hold a user name or a password; write them as postgres.user and postgres.password = { file = \"…\" }",
            );
        }
        if url.fragment().is_some() {
            return Err("must not have a fragment");
        }
        let database = url.path().strip_prefix('/').unwrap_or_default();
        if database.is_empty() || database.contains(['/', '%']) {
            return Err("must end with the name of one database, as in \"postgres://db.example/todo\"");
        }
        let (mut socket, mut socket_port) = (None, None);
        for (key, value) in url.query_pairs() {
            match &*key {
                "host" if value.starts_with('/') && socket.is_none() => socket = Some(value.into_owned()),
                "host" => {
                    return Err(
                        "may say host=/FOLDER once, for a Unix socket; other hosts stand before the database's name",
                    );
                }
                "port" if socket_port.is_none() => {
                    socket_port = Some(value.parse().map_err(|_| "names a port that is no number")?);
                }
                _ => {
                    return Err(
                        "must not have parameters but host=/FOLDER and port=NUMBER; settings such as tls and ca stand in [postgres]",
                    );
                }
            }
        }
        let host = match (url.host(), socket) {
            (Some(_), None) if socket_port.is_some() => {
                return Err("names the port of a Unix socket, and no socket; write HOST:PORT");
            }
            (Some(Host::Ipv6(address)), None) => address.to_string(),
            (Some(host), None) if !host.to_string().is_empty() => host.to_string(),
            (None, Some(folder)) => folder,
            (Some(_), Some(_)) => return Err("names a host twice"),
            _ => {
                return Err(
                    "names no host; write \"postgres://db.example/todo\", or \"postgres:///todo?host=/run/postgresql\" for a Unix socket",
                );
            }
        };
        Ok(Self {
            host,
            port: url.port().or(socket_port).unwrap_or(DEFAULT_PORT),
            database: database.to_owned(),
        })
    }

    /// Whether what is said to it stays on this machine.
    pub(crate) fn is_local(&self) -> bool {
        let loopback = self.host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
        self.host.starts_with('/') || loopback || self.host == "localhost"
    }
}

impl fmt::Display for Address {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.starts_with('/') || self.host.contains(':') {
            write!(formatter, "[{}]:{}/{}", self.host, self.port, self.database)
        } else {
            write!(formatter, "{}:{}/{}", self.host, self.port, self.database)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read() {
        for (text, shown, is_local) in [
            ("postgres://db.example/todo", "db.example:5432/todo", false),
            ("postgresql://db.example:6000/todo", "db.example:6000/todo", false),
            ("postgres://127.0.0.1/todo", "127.0.0.1:5432/todo", true),
            ("postgres://[::1]:6000/todo", "[::1]:6000/todo", true),
            ("postgres://localhost/todo", "localhost:5432/todo", true),
            ("postgres:///todo?host=/run/postgresql", "[/run/postgresql]:5432/todo", true),
            ("postgres:///todo?host=/run/postgresql&port=6000", "[/run/postgresql]:6000/todo", true),
        ] {
            let address = Address::parse(text).expect(text);
            assert_eq!((address.to_string().as_str(), address.is_local()), (shown, is_local), "{text}");
        }
    }

    #[test]
    fn what_does_not_belong_into_an_address_is_refused_with_the_fix() {
        for (text, fix) in [
            ("postgres://todo:pw@db.example/todo", "postgres.password = { file"),
            ("postgres://todo@db.example/todo", "postgres.user"),
            ("postgres://db.example/todo?sslmode=require", "stand in [postgres]"),
            ("postgres://db.example", "name of one database"),
            ("postgres://db.example/a/b", "name of one database"),
            ("postgres:///todo", "names no host"),
            ("postgres://db.example/todo?host=/run", "twice"),
            ("postgres:///todo?host=other.example", "host=/FOLDER"),
            ("postgres://db.example/todo?port=6000", "HOST:PORT"),
            ("postgres:///todo?host=/run&port=x", "no number"),
            ("mysql://db.example/todo", "for example"),
        ] {
            let why = Address::parse(text).expect_err(text);
            assert!(why.contains(fix), "{text}: {why}");
        }
    }
}
