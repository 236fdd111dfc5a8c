//! Child processes of tests: started with their output in a file, asked to end, or ended without being asked. They never
//! outlive the test.

use std::fs::OpenOptions;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use crate::site::eventually;

/// A program that runs, or could.
#[derive(Debug)]
pub(crate) struct Process {
    name: String,
    output: PathBuf,
    child: Option<Child>,
}

impl Process {
    /// One that does not run yet. What it prints is added to the file `output`.
    pub(crate) fn new(name: &str, output: PathBuf) -> Self {
        Self { name: name.to_owned(), output, child: None }
    }

    /// Starts it.
    ///
    /// # Panics
    /// If it runs already or cannot be started.
    pub(crate) fn start(&mut self, command: &mut Command) {
        assert!(self.child.is_none(), "{} runs already", self.name);
        let open = || OpenOptions::new().create(true).append(true).open(&self.output);
        let (out, err) = (open().expect("its output"), open().expect("its output"));
        command.stdin(Stdio::null()).stdout(out).stderr(err);
        let child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        self.child = Some(child);
    }

    /// Its number, for `/proc`.
    ///
    /// # Panics
    /// While it does not run.
    pub(crate) fn id(&self) -> u32 {
        self.child.as_ref().unwrap_or_else(|| panic!("{} does not run", self.name)).id()
    }

    /// Asks it to end (SIGTERM), and waits until it has.
    pub(crate) async fn terminate(&mut self) -> ExitStatus {
        self.end(Signal::TERM).await
    }

    /// Ends it where it stands (SIGKILL).
    pub(crate) async fn kill(&mut self) -> ExitStatus {
        self.end(Signal::KILL).await
    }

    /// Sends it a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        let number = i32::try_from(self.id()).ok().and_then(Pid::from_raw).expect("a process has a number");
        kill_process(number, signal).expect("it is ours");
    }

    async fn end(&mut self, signal: Signal) -> ExitStatus {
        self.signal(signal);
        self.ended().await
    }

    /// Waits until it has ended.
    pub(crate) async fn ended(&mut self) -> ExitStatus {
        let mut child = self.child.take().expect("it runs");
        loop {
            if let Some(status) = child.try_wait().expect("it is ours") {
                return status;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Waits until `looks_well`.
    ///
    /// # Panics
    /// If it ends before that.
    pub(crate) async fn until<F: Future<Output = bool>>(&mut self, what: &str, looks_well: impl Fn() -> F) {
        let name = self.name.clone();
        let child = self.child.as_mut().unwrap_or_else(|| panic!("{name} does not run"));
        let mut died = None;
        eventually(&format!("{name}: {what}"), || {
            died = child.try_wait().expect("it is ours");
            let (died, well) = (died.is_some(), looks_well());
            async move { died || well.await }
        })
        .await;
        if let Some(status) = died {
            panic!("{name} ended ({status}):\n{}", self.output());
        }
    }

    /// All that it printed so far, in all its lives.
    pub(crate) fn output(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(&self.output).unwrap_or_default()).into_owned()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
