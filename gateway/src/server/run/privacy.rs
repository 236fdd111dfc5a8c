//! Keeps the process's memory to itself: no core dump holds keys and tokens, and no other program of the same user looks
//! into it (requirement LG-07).

/// From now on. What the system refuses is said by nobody: it is the second line of defence.
pub fn keep_memory_private() {
    #[cfg(unix)]
    {
        use rustix::process::{Resource, Rlimit, setrlimit};
        let _ = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) });
    }
    // A system that pipes core dumps into a program does not ask for the limit.
    #[cfg(target_os = "linux")]
    {
        use rustix::process::{DumpableBehavior, set_dumpable_behavior};
        let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable);
    }
}
