//! Where the admin listener of a gateway is that runs with some configuration, told also while that configuration has
//! problems: a gateway that refused it goes on with the one before it, and is well.

use std::net::SocketAddr;
use std::path::Path;

use toml::Table;

use super::listen::DEFAULT_ADMIN;

/// `listen.admin` of a file, or its default where nothing else can be read.
pub fn admin_address(path: &Path) -> SocketAddr {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let written = match text.parse::<Table>() {
        Ok(document) => document.get("listen").and_then(|listen| listen.get("admin")).and_then(|admin| {
            let admin = admin.as_str()?;
            admin.parse().ok()
        }),
        Err(_) => by_line(&text),
    };
    written.unwrap_or(DEFAULT_ADMIN)
}

/// From a text that is not TOML.
fn by_line(text: &str) -> Option<SocketAddr> {
    let mut is_listen = false;
    for line in text.lines().map(str::trim) {
        if line.starts_with('[') {
            is_listen = line.starts_with("[listen]");
        }
        if let Some((key, value)) = line.split_once('=')
            && is_listen
            && key.trim() == "admin"
        {
            return value.split(['"', '\'']).nth(1)?.parse().ok();
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_found_in_good_files_and_in_broken_ones() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("gateway.toml");
        let of = |text: &str| {
            std::fs::write(&path, text).expect("written");
            admin_address(&path).to_string()
        };
        assert_eq!(of("[listen]\nadmin = \"127.0.0.1:9\"\nfoo = 1"), "127.0.0.1:9");
        assert_eq!(of("listen = { admin = \"0.0.0.0:9\" }"), "0.0.0.0:9");
        assert_eq!(of("[listen]  # here\nadmin=\"127.0.0.1:9\" # there\n[[[oops"), "127.0.0.1:9");
        assert_eq!(of("[other]\nadmin = \"127.0.0.1:9\"\n= oops"), "127.0.0.1:3003");
        for text in ["", "[listen]", "[listen]\nadmin = 7", "[listen]\nadmin = \"x\"", "[listen]\nadmin ="] {
            assert_eq!(of(text), "127.0.0.1:3003", "{text}");
        }
        assert_eq!(admin_address(Path::new("/nowhere/at/all.toml")).to_string(), "127.0.0.1:3003");
    }
}
