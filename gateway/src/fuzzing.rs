//! The door for fuzzing: one target for each parser that strangers reach, private ones too. It exists in tests and under
//! `--cfg fuzzing` alone; `tests/fuzz` hands libFuzzer's inputs in, and the tests here hand in the seeds.
//!
//! A target panics when a promise is broken, not only when the parser does: what is accepted is what it should be by a
//! second, independent look; what is written is read back the same. It knows nothing of what makes the inputs.

mod browser;
mod upstream;

use crate::oidc::fuzzing::{documents, tokens};
use crate::server::admin::fuzzing as admin;
use crate::session::store::{fuzzing as store, redis::fuzzing as redis};

/// A parser, and what is promised of it.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// What it is called on the command line.
    pub name: &'static str,
    /// Takes any bytes; says whether the parser accepted them. Panics where a promise is broken.
    pub run: fn(&[u8]) -> bool,
    /// Inputs to begin with: sound ones, and those that were trouble once.
    pub seeds: fn() -> Vec<Vec<u8>>,
}

const fn target(name: &'static str, run: fn(&[u8]) -> bool, seeds: fn() -> Vec<Vec<u8>>) -> Target {
    Target { name, run, seeds }
}

/// Every target.
pub const TARGETS: [Target; 17] = [
    target("path", browser::path, browser::paths),
    target("return_to", browser::return_to, browser::returns),
    target("session_cookie", browser::session_cookie, browser::session_cookies),
    target("login_cookie", browser::login_cookie, browser::login_cookies),
    target("forwarded_headers", upstream::forwarded_headers, upstream::forwarded_headers_seeds),
    target("rewrite", upstream::rewrite, upstream::rewrites),
    target("callback", documents::callback, documents::callbacks),
    target("metadata", documents::metadata, documents::metadatas),
    target("jwks", documents::jwks, documents::key_sets),
    target("token_answer", documents::token_answer, documents::token_answers),
    target("pushed_answer", documents::pushed_answer, documents::pushed_answers),
    target("id_token", tokens::id_token, tokens::id_tokens),
    target("logout_token", tokens::logout_token, tokens::logout_tokens),
    target("userinfo", tokens::userinfo, tokens::userinfos),
    target("stored_record", store::stored_record, store::stored_records),
    target("redis_record", redis::redis_record, redis::redis_records),
    target("admin_wish", admin::admin_wish, admin::admin_wishes),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_target_accepts_some_of_its_seeds_and_refuses_others() {
        for target in TARGETS {
            let verdicts: Vec<bool> = (target.seeds)().iter().map(|seed| (target.run)(seed)).collect();
            assert!(verdicts.contains(&true), "{} accepts nothing", target.name);
            assert!(verdicts.contains(&false), "{} refuses nothing", target.name);
        }
    }

    #[test]
    fn seeds_cut_short_or_changed_keep_every_promise() {
        for target in TARGETS {
            for seed in (target.seeds)() {
                for end in (0..seed.len()).step_by(1 + seed.len() / 16) {
                    (target.run)(&seed[..end]);
                    let mut changed = seed.clone();
                    changed[end] ^= 1;
                    (target.run)(&changed);
                }
            }
        }
    }

    #[test]
    fn each_target_has_a_name_of_its_own() {
        let names: std::collections::BTreeSet<_> = TARGETS.iter().map(|target| target.name).collect();
        assert_eq!(names.len(), TARGETS.len());
    }
}
