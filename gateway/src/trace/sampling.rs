//! Which requests are recorded. What decides is the configuration and a die of the gateway's own: a stranger must not be
//! able to have every request recorded.

use std::cell::Cell;

use crate::entropy;

/// Whose `traceparent` is continued.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Trust {
    /// Nobody's: a trace begins here.
    #[default]
    Nobody,
    /// That of the proxies in front.
    Proxies,
    /// Everybody's: only programs of ours can reach this gateway.
    Everybody,
}

impl Trust {
    /// Whether a request is believed that came from one of our proxies, or not.
    pub fn believes(self, is_proxy: bool) -> bool {
        match self {
            Self::Nobody => false,
            Self::Proxies => is_proxy,
            Self::Everybody => true,
        }
    }
}

/// The resolved `continue_traces` and `sample` of `[telemetry]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sampling {
    /// Whose trace is continued.
    pub trust: Trust,
    /// Whether anything is recorded at all.
    pub records: bool,
    /// Of the traces that begin here, those whose die falls below it are recorded.
    pub threshold: u64,
}

impl Sampling {
    /// `share` of the traces that begin here, from 0 to 1.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "a share of all numbers; conversions from floating point saturate"
    )]
    pub fn new(trust: Trust, records: bool, share: f64) -> Self {
        Self { trust, records, threshold: (share.clamp(0.0, 1.0) * u64::MAX as f64) as u64 }
    }
}

/// One worker's source of chance: fast, and good enough to choose by. Nothing secret comes from it.
#[derive(Debug)]
pub struct Dice(Cell<u64>);

impl Dice {
    /// A die that falls unlike any other.
    pub fn new() -> Self {
        Self(Cell::new(u64::from_ne_bytes(entropy::bytes()) | 1))
    }

    /// Throws it (xorshift64*).
    pub fn falls_below(&self, threshold: u64) -> bool {
        let mut state = self.0.get();
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        self.0.set(state);
        // All or none must mean just that.
        threshold == u64::MAX || state.wrapping_mul(0x2545_f491_4f6c_dd1d) < threshold
    }
}

impl Default for Dice {
    fn default() -> Self {
        Self::new()
    }
}
