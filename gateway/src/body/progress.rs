//! How far a body has come: what is slow is told from what is silent, and what is too large from what is not. Counts;
//! what follows from it is decided elsewhere.

use std::cell::Cell;
use std::rc::Rc;

use bytes::Bytes;
use http_body::Frame;

/// The progress of a body, or of both of an exchange. Shared by whoever passes it on and whoever waits.
#[derive(Clone, Default)]
pub struct Progress(Rc<Passed>);

#[derive(Default)]
struct Passed {
    frames: Cell<u64>,
    bytes: Cell<u64>,
    /// How many bytes it may have; of any number where there is none.
    most: Option<u64>,
    is_waiting: Cell<bool>,
    is_over: Cell<bool>,
}

/// A body is larger than it may be.
#[derive(Debug, thiserror::Error)]
#[error("a body larger than the route takes")]
pub struct TooLarge;

impl Progress {
    /// Of a body that may have so many bytes.
    pub fn of_at_most(most: u64) -> Self {
        Self(Rc::new(Passed { most: Some(most), ..Passed::default() }))
    }

    /// One more frame.
    pub fn note(&self) {
        self.0.frames.set(self.0.frames.get() + 1);
        self.0.is_waiting.set(false);
    }

    /// One more frame of a body whose size counts.
    ///
    /// # Errors
    /// [`TooLarge`].
    pub(super) fn note_frame<E>(&self, frame: Option<&Result<Frame<Bytes>, E>>) -> Result<(), TooLarge> {
        self.note();
        let data = frame.and_then(|frame| frame.as_ref().ok()?.data_ref());
        self.note_bytes(data.map_or(0, |data| data.len() as u64));
        if self.0.most.is_some_and(|most| self.bytes() > most) { Err(TooLarge) } else { Ok(()) }
    }

    pub(crate) fn note_bytes(&self, bytes: u64) {
        self.0.bytes.set(self.0.bytes.get() + bytes);
    }

    /// Somebody asked for more, and there was nothing yet.
    pub(crate) fn wait(&self) {
        self.0.is_waiting.set(true);
    }

    /// There will be no more.
    pub(super) fn end(&self) {
        self.0.is_over.set(true);
    }

    /// Whether the whole body has passed.
    pub fn is_over(&self) -> bool {
        self.0.is_over.get()
    }

    /// Whether the next piece is waited for, and not for whoever should take the last one.
    pub fn is_waiting(&self) -> bool {
        self.0.is_waiting.get()
    }

    /// How many frames passed so far.
    pub fn count(&self) -> u64 {
        self.0.frames.get()
    }

    /// How many bytes passed so far.
    pub fn bytes(&self) -> u64 {
        self.0.bytes.get()
    }
}
