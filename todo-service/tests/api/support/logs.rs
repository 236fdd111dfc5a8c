//! Everything that the whole test run logs, at every level.

use std::io::Write;
use std::sync::{Mutex, Once};

static LINES: Mutex<Vec<u8>> = Mutex::new(Vec::new());

struct Sink;

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        LINES.lock().expect("unpoisoned").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Starts to listen, at trace level.
pub(crate) fn capture() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let subscriber =
            tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).json().with_writer(|| Sink);
        tracing::subscriber::set_global_default(subscriber.finish()).expect("the only subscriber");
    });
}

/// Every line so far that holds the text.
pub(crate) fn lines_with(text: &str) -> Vec<String> {
    let lines = LINES.lock().expect("unpoisoned");
    let log = String::from_utf8_lossy(&lines);
    log.lines().filter(|line| line.contains(text)).map(str::to_owned).collect()
}
