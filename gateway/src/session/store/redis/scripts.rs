//! What Redis does in one step, so that no other gateway comes between. Every script touches the one key it is given, as
//! a cluster demands; none names another, and none asks for the time.

use std::sync::LazyLock;

use redis::{Cmd, Script, cmd};

macro_rules! script {
    ($($file:literal),+) => {
        LazyLock::new(|| Text::new(concat!($(include_str!(concat!("scripts/", $file)), "\n"),+)))
    };
}

pub(super) static CREATE: LazyLock<Text> = script!("create.lua");
pub(super) static REPLACE: LazyLock<Text> = script!("last.lua", "replace.lua");
pub(super) static TOUCH: LazyLock<Text> = script!("last.lua", "touch.lua");
pub(super) static EXPIRE: LazyLock<Text> = script!("expire.lua");
pub(super) static MEMBER: LazyLock<Text> = script!("member.lua");
pub(super) static SCHEDULE: LazyLock<Text> = script!("schedule.lua");
pub(super) static PAGE: LazyLock<Text> = script!("page.lua");
pub(super) static LEASE: LazyLock<Text> = script!("lease.lua");
pub(super) static RELEASE: LazyLock<Text> = script!("release.lua");

/// A script and the hash by which a server that has seen it knows it.
pub(super) struct Text {
    code: &'static str,
    hash: Script,
}

impl Text {
    fn new(code: &'static str) -> Self {
        Self { code, hash: Script::new(code) }
    }
}

/// Something to ask of Redis.
pub(super) enum Ask {
    /// A command of Redis.
    Command(Cmd),
    /// A script, its one key and its arguments.
    Run(&'static Text, Vec<u8>, Vec<Vec<u8>>),
    /// A message for every gateway.
    Tell(Vec<u8>),
}

impl Ask {
    /// `NAME key arguments…`
    pub(super) fn command(name: &str, key: &[u8], arguments: &[&[u8]]) -> Self {
        let mut command = cmd(name);
        command.arg(key).arg(arguments);
        Self::Command(command)
    }
}

/// The script by its hash, which is short; a server that does not know it says so.
pub(super) fn by_hash(script: &Text, key: &[u8], arguments: &[Vec<u8>]) -> Cmd {
    let mut command = cmd("EVALSHA");
    command.arg(script.hash.get_hash()).arg(1).arg(key).arg(arguments);
    command
}

/// The script by its text, which the server will remember.
pub(super) fn by_text(script: &Text, key: &[u8], arguments: &[Vec<u8>]) -> Cmd {
    let mut command = cmd("EVAL");
    command.arg(script.code).arg(1).arg(key).arg(arguments);
    command
}
