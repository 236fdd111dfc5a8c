//! The names that a certificate is for (RFC 9525, section 6): exact ones, wildcards for one label, addresses.

use std::net::IpAddr;

/// The subject alternative names of one certificate, in lower case.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names {
    exact: Vec<String>,
    /// `.example.com` for `*.example.com`.
    wildcards: Vec<String>,
}

impl Names {
    /// These names. An IP address is a name in its usual form.
    pub fn new(names: impl IntoIterator<Item = String>) -> Self {
        let mut found = Self::default();
        for mut name in names {
            name.make_ascii_lowercase();
            match name.strip_prefix('*') {
                Some(rest) if rest.starts_with('.') => found.wildcards.push(rest.to_owned()),
                Some(_) => {}
                None => found.exact.push(name),
            }
        }
        found
    }

    /// Whether one of them is this host; a port, brackets, letter case and one dot at the end do not matter.
    pub fn cover(&self, host: &str) -> bool {
        let host = without_port(host);
        let host = host.strip_suffix('.').unwrap_or(host);
        self.exact.iter().any(|name| name.eq_ignore_ascii_case(host))
            || self.wildcards.iter().any(|end| is_one_label_before(host, end))
    }

    /// All of them, as certificates write them.
    pub fn iter(&self) -> impl Iterator<Item = String> {
        self.exact.iter().cloned().chain(self.wildcards.iter().map(|end| format!("*{end}")))
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.exact.is_empty() && self.wildcards.is_empty()
    }
}

fn without_port(host: &str) -> &str {
    if let Some(rest) = host.strip_prefix('[') {
        return rest.split(']').next().unwrap_or_default();
    }
    match host.rsplit_once(':') {
        // More than one colon is an address without brackets.
        Some((name, _)) if !name.contains(':') => name,
        _ => host,
    }
}

fn is_one_label_before(host: &str, end: &str) -> bool {
    let Some(border) = host.len().checked_sub(end.len()) else {
        return false;
    };
    let (Some(label), Some(rest)) = (host.get(..border), host.get(border..)) else {
        return false;
    };
    !label.is_empty()
        && !label.contains('.')
        && rest.eq_ignore_ascii_case(end)
        && host.parse::<IpAddr>().is_err()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names() -> Names {
        Names::new(["App.Example", "*.api.example", "192.0.2.7", "::1", "*bad.example"].map(str::to_owned))
    }

    #[test]
    fn a_name_covers_its_host_however_that_is_written() {
        for host in ["app.example", "APP.example:443", "app.example.", "a.api.example", "X.API.Example:8443"]
        {
            assert!(names().cover(host), "{host}");
        }
        for host in ["192.0.2.7", "192.0.2.7:443", "[::1]", "[::1]:443"] {
            assert!(names().cover(host), "{host}");
        }
    }

    #[test]
    fn a_wildcard_is_exactly_one_label() {
        for host in
            ["api.example", ".api.example", "a.b.api.example", "xapi.example", "bad.example", "xbad.example"]
        {
            assert!(!names().cover(host), "{host}");
        }
        assert!(!Names::new(["*.0.2.7".to_owned()]).cover("192.0.2.7"), "no wildcard is an address");
        assert!(!names().cover("") && !Names::default().cover("app.example"));
    }
}
