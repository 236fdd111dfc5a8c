//! Everything that the process logs, kept in memory: one log for all tests of a run, since a process has one log. Every
//! part is heard at its most talkative level.

use std::io::{self, Write};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

/// Our own crates say everything, others warn: as the gateway's own log has it.
const HEARD: &str = "warn,gateway=trace,todo_service=trace,dev_idp=trace,demo=trace";

/// Bytes that were written.
#[derive(Clone, Debug, Default)]
pub(crate) struct Memory(Arc<Mutex<Vec<u8>>>);

impl Memory {
    pub(crate) fn len(&self) -> usize {
        self.bytes(0).len()
    }

    pub(crate) fn bytes(&self, from: usize) -> Vec<u8> {
        let held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        held.get(from..).unwrap_or_default().to_vec()
    }
}

impl Write for Memory {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Memory {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

/// The log of this process, begun at the first call.
pub(crate) fn shared() -> &'static Memory {
    static LOG: OnceLock<Memory> = OnceLock::new();
    LOG.get_or_init(|| {
        let log = Memory::default();
        tracing_subscriber::fmt()
            .json()
            .with_env_filter(EnvFilter::new(HEARD))
            .with_writer(log.clone())
            .try_init()
            .expect("the harness is the first to log in a test process");
        log
    })
}
