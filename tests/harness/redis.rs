//! A real Redis for one test: it keeps what it was told when it is killed, and comes back on the same port.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use crate::child::Process;
use crate::port::FreePort;

/// A Redis server. Dropped, it ends.
#[derive(Debug)]
pub struct RedisServer {
    process: Process,
    port: FreePort,
    folder: TempDir,
}

impl RedisServer {
    /// Starts one with nothing in it.
    ///
    /// # Panics
    /// If there is no `redis-server` (`tests/install` installs it) or it does not start.
    pub async fn launch() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let process = Process::new("redis-server", folder.path().join("output"));
        let mut server = Self { process, port: FreePort::take(), folder };
        server.start().await;
        server
    }

    /// Starts it (again) on the same port with the same data, and waits until it answers.
    ///
    /// # Panics
    /// If it does not.
    pub async fn start(&mut self) {
        let mut command = Command::new("redis-server");
        command.args(["--bind", "127.0.0.1", "--port", &self.port.number().to_string()]);
        command.arg("--dir").arg(self.folder.path());
        // On disk before it is answered, in the words in which it was written: nothing is lost by a kill, and what
        // stands in the file can be searched.
        command.args(["--appendonly", "yes", "--appendfsync", "always", "--aof-use-rdb-preamble", "no"]);
        command.args(["--auto-aof-rewrite-percentage", "0", "--save", "", "--daemonize", "no"]);
        self.process.start(&mut command);
        let url = self.url();
        self.process.until("answers", || async { ask(&url, &["PING"]).is_ok() }).await;
    }

    /// Ends it in order.
    pub async fn stop(&mut self) {
        self.process.terminate().await;
    }

    /// Ends it as a power cut would.
    pub async fn kill(&mut self) {
        self.process.kill().await;
    }

    /// `redis://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        format!("redis://{}:{}", Ipv4Addr::LOCALHOST, self.port.number())
    }

    /// Runs one command.
    ///
    /// # Panics
    /// If it fails.
    pub fn ask(&self, words: &[&str]) -> redis::Value {
        ask(&self.url(), words).unwrap_or_else(|error| panic!("{words:?}: {error}"))
    }

    /// How often each command was called since the last [`Self::forget_calls`].
    pub fn calls(&self) -> BTreeMap<String, u64> {
        let redis::Value::BulkString(bytes) = self.ask(&["INFO", "commandstats"]) else {
            return BTreeMap::new();
        };
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let calls = text.lines().filter_map(|line| {
            let (name, rest) = line.strip_prefix("cmdstat_")?.split_once(":calls=")?;
            Some((name.to_owned(), rest.split(',').next()?.parse().ok()?))
        });
        calls
            .filter(|(name, _)| !["info", "config|resetstat", "client|setinfo"].contains(&name.as_str()))
            .collect()
    }

    /// Begins to count anew.
    pub fn forget_calls(&self) {
        self.ask(&["CONFIG", "RESETSTAT"]);
    }

    /// Everything that was ever written to it, byte for byte: what a thief of its disk would have, and more.
    pub fn written(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        read_below(self.folder.path(), &mut bytes);
        bytes
    }

    /// Every key that it holds now.
    pub fn keys(&self) -> Vec<String> {
        let redis::Value::Array(keys) = self.ask(&["KEYS", "*"]) else { return Vec::new() };
        keys.into_iter().filter_map(|key| redis::from_redis_value(key).ok()).collect()
    }

    /// How long a key has to live, in seconds; nothing if it lives for ever.
    pub fn lifetime(&self, key: &str) -> Option<i64> {
        match self.ask(&["TTL", key]) {
            redis::Value::Int(seconds) => Some(seconds).filter(|seconds| *seconds != -1),
            other => panic!("{key}: {other:?}"),
        }
    }
}

fn ask(url: &str, words: &[&str]) -> redis::RedisResult<redis::Value> {
    let (command, arguments) = words.split_first().expect("a command");
    let mut connection = redis::Client::open(url)?.get_connection()?;
    redis::cmd(command).arg(arguments).query(&mut connection)
}

fn read_below(folder: &Path, bytes: &mut Vec<u8>) {
    for entry in std::fs::read_dir(folder).expect("its folder").flatten() {
        if entry.path().is_dir() {
            read_below(&entry.path(), bytes);
        } else {
            bytes.extend(std::fs::read(entry.path()).expect("its file"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_was_written_is_there_after_a_kill_and_can_be_searched() {
        let mut server = RedisServer::launch().await;
        server.ask(&["SET", "kept", "a-word-to-be-found", "EX", "100"]);
        server.ask(&["SET", "for-ever", "x"]);
        server.kill().await;
        server.start().await;
        assert_eq!(server.ask(&["GET", "kept"]), redis::Value::BulkString(b"a-word-to-be-found".to_vec()));
        assert!(String::from_utf8_lossy(&server.written()).contains("a-word-to-be-found"));
        assert!(server.lifetime("kept").is_some_and(|seconds| seconds <= 100));
        assert_eq!((server.lifetime("for-ever"), server.keys().len()), (None, 2));
        server.forget_calls();
        server.ask(&["GET", "kept"]);
        assert_eq!(server.calls().get("get"), Some(&1));
        server.stop().await;
    }
}
