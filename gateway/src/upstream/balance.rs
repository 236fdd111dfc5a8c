//! Which of several servers gets a request: the less loaded of two that chance picks, by weight. Pure.

/// Those that may be chosen, with running sums of their weights.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Choice {
    members: Vec<Member>,
    total: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Member {
    index: usize,
    /// The weights of all before it.
    start: u32,
    weight: u32,
}

impl Choice {
    /// From weights, as `(index, weight)`. Who weighs nothing cannot be chosen.
    pub(super) fn new(weights: impl IntoIterator<Item = (usize, u32)>) -> Self {
        let mut choice = Self::default();
        for (index, weight) in weights {
            // Far more than any configuration adds up to; a sum that wrapped would choose nobody.
            let Some(total) = choice.total.checked_add(weight).filter(|_| weight > 0) else {
                continue;
            };
            choice.members.push(Member { index, start: choice.total, weight });
            choice.total = total;
        }
        choice
    }

    /// Whether nobody can be chosen.
    pub(super) fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// One of them. `random` gives a number below its argument; `load` is how much each has to do already.
    pub(super) fn pick(
        &self,
        mut random: impl FnMut(u32) -> u32,
        load: impl Fn(usize) -> u32,
    ) -> Option<usize> {
        let [first, ..] = self.members[..] else {
            return None;
        };
        if self.members.len() == 1 {
            return Some(first.index);
        }
        let one = self.at(random(self.total));
        // The other comes from those that are left, as if the first were not there.
        let rest = random(self.total - one.weight);
        let other = self.at(if rest >= one.start { rest + one.weight } else { rest });
        let share = |member: Member, beside: Member| u64::from(load(member.index)) * u64::from(beside.weight);
        // As loaded for their weight as each other, as two idle ones are: chance has decided by weight already.
        let is_better = share(other, one) < share(one, other);
        Some(if is_better { other.index } else { one.index })
    }

    /// The member whose part of the sum a number falls into.
    fn at(&self, number: u32) -> Member {
        let after = self.members.partition_point(|member| member.start <= number);
        self.members[after.saturating_sub(1)]
    }
}

/// Numbers by chance, good enough to spread load (xorshift, 64 bits).
#[derive(Debug)]
pub(super) struct Chance(u64);

impl Chance {
    pub(super) fn new(seed: [u8; 8]) -> Self {
        // Zero would stay zero.
        Self(u64::from_le_bytes(seed) | 1)
    }

    /// A number below `bound`, or 0.
    pub(super) fn below(&mut self, bound: u32) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        let wide = (self.0 >> 32) * u64::from(bound);
        u32::try_from(wide >> 32).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Sends `requests`, each of which stays until all are sent, and counts what each member got.
    fn spread(weights: &[u32], requests: u32, seed: [u8; 8]) -> Vec<u32> {
        let choice = Choice::new(weights.iter().copied().enumerate());
        let mut chance = Chance::new(seed);
        let mut loads = vec![0; weights.len()];
        for _ in 0..requests {
            let Some(picked) = choice.pick(|bound| chance.below(bound), |index| loads[index]) else {
                continue;
            };
            loads[picked] += 1;
        }
        loads
    }

    proptest! {
        #[test]
        fn only_who_weighs_something_is_chosen(weights in proptest::collection::vec(0..4_u32, 0..6), seed: [u8; 8]) {
            let loads = spread(&weights, 100, seed);
            prop_assert_eq!(loads.iter().sum::<u32>() == 100, weights.iter().any(|weight| *weight > 0));
            for (weight, load) in weights.iter().zip(&loads) {
                prop_assert!(*weight > 0 || *load == 0);
            }
        }

        #[test]
        fn requests_that_stay_are_spread_by_weight(weights in proptest::collection::vec(1..10_u32, 2..8), seed: [u8; 8]) {
            let requests = 20_000;
            let total: u32 = weights.iter().sum();
            for (weight, load) in weights.iter().zip(spread(&weights, requests, seed)) {
                let fair = requests * weight / total;
                prop_assert!(load.abs_diff(fair) <= fair / 10 + 50, "{weights:?}: {load} of {fair}");
            }
        }

        #[test]
        fn of_two_the_less_loaded_is_taken(loads in [0..100_u32, 0..100_u32], seed: [u8; 8]) {
            let choice = Choice::new([(0, 1), (1, 1)]);
            let mut chance = Chance::new(seed);
            let picked = choice.pick(|bound| chance.below(bound), |index| loads[index]).expect("there are two");
            prop_assert!(loads[picked] <= loads[1 - picked]);
        }

        #[test]
        fn a_number_below_a_bound_is_below_it(seed: [u8; 8], bound in 1..u32::MAX) {
            let mut chance = Chance::new(seed);
            for _ in 0..50 {
                prop_assert!(chance.below(bound) < bound);
            }
        }
    }

    #[test]
    fn idle_servers_get_their_share_by_weight_too() {
        let choice = Choice::new([(0, 1), (1, 3)]);
        let mut chance = Chance::new([7; 8]);
        let mut counts = [0; 2];
        for _ in 0..40_000 {
            counts[choice.pick(|bound| chance.below(bound), |_| 0).expect("there are two")] += 1;
        }
        assert!((9_000..11_000).contains(&counts[0]), "{counts:?}");
    }
}
