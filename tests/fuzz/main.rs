//! Hands libFuzzer's inputs to the one target of `gateway::fuzzing` that `FUZZ_TARGET` names, and writes that target's
//! seeds where `FUZZ_SEEDS` says. Without a name it lists the targets. Called by `run`, which stands beside it.

#![no_main]

use std::env;
use std::fs;
use std::path::Path;
use std::process::exit;
use std::sync::OnceLock;

use gateway::fuzzing::{TARGETS, Target};
use libfuzzer_sys::fuzz_target;

static CHOSEN: OnceLock<Target> = OnceLock::new();

fuzz_target!(init: prepare(), |data: &[u8]| {
    (CHOSEN.get().expect("it was chosen at the start").run)(data);
});

fn prepare() {
    let Ok(name) = env::var("FUZZ_TARGET") else {
        for target in TARGETS {
            println!("{}", target.name);
        }
        exit(0);
    };
    let Some(target) = TARGETS.into_iter().find(|target| target.name == name) else {
        eprintln!("there is no target {name:?}");
        exit(2);
    };
    if let Ok(folder) = env::var("FUZZ_SEEDS") {
        write_seeds(target, Path::new(&folder));
    }
    assert!(CHOSEN.set(target).is_ok(), "libFuzzer begins once");
}

fn write_seeds(target: Target, folder: &Path) {
    for (number, seed) in (target.seeds)().into_iter().enumerate() {
        let file = folder.join(format!("{number:02}"));
        fs::write(&file, seed).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    }
}
