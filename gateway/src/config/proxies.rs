//! `trusted_proxies` and `proxy_header` of `[listen]`: whose word about whom they speak for counts.

use std::net::IpAddr;

use ipnet::{IpNet, Ipv4Net};

use crate::proxies::{Proxies, Spelling};

use super::check;
use super::raw::{Section, Text};

const FORM: &str = "write an address or a network, such as \"10.0.0.5\", \"10.0.0.0/8\" or \"fd00::/8\"";

/// Reads both.
pub(super) fn read(listen: &Section<'_>) -> Option<Proxies> {
    let words = [("x-forwarded-for", Spelling::XForwarded), ("forwarded", Spelling::Forwarded)];
    let header = check::word(listen, "proxy_header", &words, Spelling::default());
    if let Some(value) = listen.value("proxy_header")
        && !listen.has("trusted_proxies")
    {
        let help = "add `trusted_proxies`, or remove it";
        listen.report().problem(&value.place(), "nobody's word counts, in whatever header", help);
    }
    let Some(value) = listen.value("trusted_proxies") else {
        return Some(Proxies::default());
    };
    let texts = value.unique_texts()?;
    let networks: Option<Vec<_>> = texts.iter().map(|text| network(listen, text)).collect();
    Some(Proxies { networks: networks?, header: header? })
}

fn network(listen: &Section<'_>, text: &Text<'_>) -> Option<IpNet> {
    let report = listen.report();
    let single = || text.value.parse::<IpAddr>().ok().map(IpNet::from);
    let Some(written) = text.value.parse::<IpNet>().ok().or_else(single) else {
        let message = format!("\"{}\" is neither an address nor a network", text.value.escape_debug());
        report.problem(&text.place, message, FORM);
        return None;
    };
    let network = canonical(written);
    // With any address trusted, every client says for itself who it is (requirement CF-02).
    if network.prefix_len() == 0 {
        let message = format!("{written} trusts everybody: any client could then claim to be any other");
        report.problem(&text.place, message, "name the proxies that stand in front of the gateway");
        return None;
    }
    if network.trunc() != network {
        let message = format!("{written} names one address and a network at once");
        let help =
            format!("write \"{}\" for the network, or \"{}\" for the one", network.trunc(), network.addr());
        report.problem(&text.place, message, help);
        return None;
    }
    let is_wide = match network {
        IpNet::V4(network) => network.prefix_len() < 8,
        IpNet::V6(network) => network.prefix_len() < 7,
    };
    if is_wide {
        report.warning(format!(
            "listen.trusted_proxies: {network} is a large part of all addresses; is it meant?"
        ));
    }
    Some(network)
}

/// IPv4 in IPv6's clothes is IPv4: clients of dual-stack listeners are known by that.
fn canonical(network: IpNet) -> IpNet {
    let IpNet::V6(six) = network else {
        return network;
    };
    let four = six.prefix_len().checked_sub(96).zip(six.addr().to_ipv4_mapped());
    four.and_then(|(length, address)| Ipv4Net::new(address, length).ok()).map_or(network, IpNet::V4)
}
