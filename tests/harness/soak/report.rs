//! What a soak says at its end: a line for each thing that failed, and the sum.

use std::fmt;
use std::time::Duration;

use dev_idp::Family;

use crate::load::Tally;

/// A soak's result.
#[derive(Clone, Debug, Default)]
pub struct Report {
    lines: Vec<String>,
    tally: Tally,
    token_requests: usize,
    families: Vec<Family>,
}

impl Report {
    /// Adds what happened between two looks at the load, and gives it as a line.
    pub(super) fn add(
        &mut self,
        round: usize,
        what: &str,
        before: &Tally,
        after: &Tally,
        at: Duration,
    ) -> String {
        let seconds = at.as_secs();
        let line = format!(
            "{:>3}:{:02}  round {round:>2}  {what:<22} {:>6} good {:>5} told to wait {:>3} moved {:>3} errors {:>3} signed out {:>3} mixed up",
            seconds / 60,
            seconds % 60,
            after.good - before.good,
            after.waits() - before.waits(),
            after.moved - before.moved,
            after.errors.len() - before.errors.len(),
            after.signed_out.len() - before.signed_out.len(),
            after.mismatches.len() - before.mismatches.len(),
        );
        self.lines.push(line.clone());
        line
    }

    pub(super) fn finish(&mut self, tally: Tally, token_requests: usize, families: Vec<Family>) {
        self.tally = tally;
        self.token_requests = token_requests;
        self.families = families;
    }

    fn sum(&self, count: fn(&Family) -> u32) -> u32 {
        self.families.iter().map(count).sum()
    }

    /// Fails the test if anybody met anything but a documented 503.
    ///
    /// # Panics
    /// That is how.
    #[track_caller]
    pub fn must_be_clean(&self) {
        self.tally.must_be_clean();
        for family in &self.families {
            assert!(!family.revoked && family.reuses == 0, "{family:?}");
        }
        assert!(self.tally.good > self.tally.waits(), "more was refused than answered: {self}");
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for line in &self.lines {
            writeln!(f, "{line}")?;
        }
        let tally = &self.tally;
        writeln!(f, "answers            {:>8}", tally.answered())?;
        writeln!(
            f,
            "  good             {:>8}   the slowest after {:.2} s",
            tally.good,
            tally.slowest.as_secs_f32()
        )?;
        for (reason, count) in &tally.unavailable {
            writeln!(f, "  told to wait     {count:>8}   503 with Retry-After: {reason}")?;
        }
        writeln!(f, "  errors           {:>8}", tally.errors.len())?;
        writeln!(f, "  signed out       {:>8}", tally.signed_out.len())?;
        writeln!(f, "  data of others   {:>8}", tally.mismatches.len())?;
        writeln!(f, "moved to the other gateway {}", tally.moved)?;
        write!(
            f,
            "token requests at the provider {}: {} refreshes, {} repeated after a lost answer, {} reused",
            self.token_requests,
            self.sum(|family| family.refreshes),
            self.sum(|family| family.repeats),
            self.sum(|family| family.reuses),
        )
    }
}
