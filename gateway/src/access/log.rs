//! One worker's access lines on their way out: formatted into a buffer, written in batches, so that a line costs a
//! request no system call.

use std::cell::RefCell;
use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::clock::Timestamp;

use super::{Format, Record};

/// Where lines go in the end: standard output, or a test's buffer.
pub type Sink = Arc<Mutex<dyn Write + Send>>;

/// A batch this large is written without waiting for the next flush.
const BATCH: usize = 16 * 1024;

/// The access log of one worker. Never leaves its thread.
pub struct AccessLog {
    target: Option<(Format, Sink)>,
    state: RefCell<State>,
}

#[derive(Default)]
struct State {
    lines: String,
    second: Option<Timestamp>,
    second_text: String,
}

impl AccessLog {
    /// A log in that format, or none at all.
    pub fn new(target: Option<(Format, Sink)>) -> Self {
        Self { target, state: RefCell::default() }
    }

    /// Whether anybody will read what is written.
    pub fn is_on(&self) -> bool {
        self.target.is_some()
    }

    /// Adds the line of one request.
    pub fn write(&self, record: &Record<'_>, duration: Duration) {
        let Some((format, _)) = &self.target else {
            return;
        };
        let mut state = self.state.borrow_mut();
        let State { lines, second, second_text } = &mut *state;
        // Thousands of lines share a second; its text is made once.
        if *second != Some(record.time) {
            *second = Some(record.time);
            *second_text = record.time.rfc3339();
        }
        record.write(*format, second_text, duration, lines);
        if lines.len() >= BATCH {
            drop(state);
            self.flush();
        }
    }

    /// Writes what has gathered. A log that cannot be written must not stop the traffic.
    pub fn flush(&self) {
        let Some((_, sink)) = &self.target else {
            return;
        };
        let mut state = self.state.borrow_mut();
        if !state.lines.is_empty() {
            let mut sink = sink.lock().unwrap_or_else(PoisonError::into_inner);
            let _ = sink.write_all(state.lines.as_bytes()).and_then(|()| sink.flush());
            state.lines.clear();
        }
    }
}

impl Drop for AccessLog {
    fn drop(&mut self) {
        self.flush();
    }
}
