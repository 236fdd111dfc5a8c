//! How much one client may ask: rates, and how many connections it may hold (requirements RL-01, RL-02). Numbers alone:
//! who counts, and what is refused, is everybody else's matter.

use std::net::IpAddr;
use std::num::NonZeroU32;
use std::time::Duration;

/// So many requests in that time, at once or spread.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Rate {
    /// How many.
    pub requests: NonZeroU32,
    /// In which time.
    pub per: Duration,
}

/// Whose requests a route counts together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum By {
    /// A client's address; of IPv6 its network.
    Address,
    /// A session; where there is none, the address.
    Session,
}

/// The limit of one route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RouteRate {
    /// What it is called in the table: the same for the same route with the same limit, so that a reload forgets nothing.
    pub id: u64,
    /// How much.
    pub rate: Rate,
    /// Whose.
    pub by: By,
}

/// `[limits]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// How many connections one address may hold; nothing for any number.
    pub connections_per_address: Option<NonZeroU32>,
    /// How much one client may ask of `/auth`.
    pub auth_per_client: Option<Rate>,
    /// How much all clients together may ask of `/auth`.
    pub auth: Option<Rate>,
}

impl Default for Limits {
    fn default() -> Self {
        let some = NonZeroU32::new;
        let rate = |requests, per| some(requests).map(|requests| Rate { requests, per });
        Self {
            connections_per_address: some(1_000),
            auth_per_client: rate(600, Duration::from_mins(1)),
            auth: rate(2_000, Duration::from_secs(1)),
        }
    }
}

/// Who has an address, as a number: of IPv6 the network of 64 bits that one household or machine is given.
pub fn household(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped().to_bits(),
        IpAddr::V6(address) => address.to_bits() >> 64 << 64,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(address: &str) -> u128 {
        household(address.parse().expect("an address"))
    }

    #[test]
    fn a_client_is_an_ipv4_address_or_an_ipv6_network() {
        assert_eq!(of("2001:db8:1:2::1"), of("2001:db8:1:2:ffff::9"));
        assert_ne!(of("2001:db8:1:2::1"), of("2001:db8:1:3::1"));
        assert_ne!(of("192.0.2.1"), of("192.0.2.2"));
        assert_ne!(of("192.0.2.1"), of("::"));
    }
}
