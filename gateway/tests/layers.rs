//! The house rule that keeps the code readable: a module imports only modules that stand before it, and judgement
//! neither waits nor touches the outside world. Read from the sources, so it cannot rot.

use std::fs;
use std::path::{Path, PathBuf};

/// Every module in its layer's order. A submodule that stands elsewhere than its parent has a line of its own.
const ORDER: [&str; 70] = [
    // vocabulary
    "clock",
    "entropy",
    "hash",
    "hex",
    "secret",
    "scope",
    "path",
    "origin",
    "request_id",
    "handshake",
    "trace",
    "body",
    // facts
    "rule",
    "session",
    "stop",
    "caller",
    "finding",
    "limits",
    "rates",
    "places",
    // judgement
    "session/cookie",
    "site",
    "intake",
    "proxies",
    "cors",
    "routing",
    "websocket",
    "csrf",
    "https",
    "policy",
    "outfit",
    "access",
    "metrics",
    "pages",
    "respond",
    "upstream/headers",
    // I/O
    "session/store",
    "reach",
    "tls",
    "otlp",
    "oidc",
    "vouch",
    "providers",
    "tokens",
    "upstream",
    "files",
    // composition
    "live",
    "toll",
    "identity",
    "endpoints",
    "gateway",
    // edge
    "telemetry",
    "operator",
    "config",
    "server/listen",
    "server/farewell",
    "server/patience",
    "server/http2",
    "server/redirect",
    "server/connection",
    "server/inherit",
    "server/manager",
    "server/standing",
    "server/lookout",
    "server/admin",
    "server",
    "doctor",
    "explain",
    "main",
    // tests and fuzzing alone
    "fuzzing",
];

/// The first module that may wait, lock or talk to anybody.
const FIRST_IMPURE: &str = "session/store";

/// Settings types that stand in front of their module, for whoever fills them.
const DATA: [(&str, &str); 1] = [("endpoints", "oidc/settings")];

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("the source folder can be read") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// `session/store/memory.rs` → `session/store/memory`.
fn module(root: &Path, file: &Path) -> String {
    file.strip_prefix(root).expect("below the root").with_extension("").to_string_lossy().replace('\\', "/")
}

/// The position of the longest entry that is a prefix of the module's path, on its borders.
fn rank(module: &str) -> Option<usize> {
    let is_in =
        |entry: &str| module == entry || module.strip_prefix(entry).is_some_and(|rest| rest.starts_with('/'));
    ORDER
        .iter()
        .enumerate()
        .filter(|(_, entry)| is_in(entry))
        .max_by_key(|(_, entry)| entry.len())
        .map(|(rank, _)| rank)
}

/// Product code: what stands before the inline tests, without comments.
fn code(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let numbered = text.lines().enumerate().map(|(number, line)| (number + 1, line));
    numbered
        .take_while(|(_, line)| !line.starts_with("#[cfg(test)]"))
        .filter(|(_, line)| !line.trim_start().starts_with("//"))
}

/// The modules that a line names after `crate::`, as paths.
fn imports(line: &str) -> Vec<String> {
    line.split("crate::")
        .skip(1)
        .map(|rest| {
            let path: String =
                rest.chars().take_while(|c| c.is_ascii_lowercase() || matches!(c, '_' | ':')).collect();
            path.trim_end_matches(':').replace("::", "/")
        })
        .filter(|path| !path.is_empty())
        .collect()
}

fn each_source(mut check: impl FnMut(&str, &str)) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&root, &mut files);
    assert!(files.len() > 40, "the sources were found");
    for file in files {
        let text = fs::read_to_string(&file).expect("UTF-8");
        check(&module(&root, &file), &text);
    }
}

#[test]
fn imports_point_only_at_modules_that_stand_before() {
    let mut wrong = Vec::new();
    each_source(|module, text| {
        // lib is the map; test support and inline test files may use everything.
        if module == "lib" || module.ends_with("/tests") || module.ends_with("/testing") {
            return;
        }
        let own = rank(module).unwrap_or_else(|| panic!("{module} has no place in ORDER"));
        for (number, line) in code(text) {
            for import in imports(line) {
                let other = rank(&import).unwrap_or_else(|| {
                    panic!("{module}:{number} imports {import}, which has no place in ORDER")
                });
                let excused =
                    DATA.iter().any(|(from, to)| module.starts_with(from) && import.starts_with(to));
                if other > own && !excused {
                    wrong.push(format!("{module}:{number} imports {import}, which stands after it"));
                }
            }
        }
    });
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn judgement_is_synchronous_and_knows_no_runtime() {
    let border = rank(FIRST_IMPURE).expect("in ORDER");
    let mut wrong = Vec::new();
    each_source(|module, text| {
        if module == "lib" || rank(module).is_none_or(|rank| rank >= border) {
            return;
        }
        for (number, line) in code(text) {
            if ["tokio", ".await", "async fn", "std::fs", "std::net::Tcp"]
                .iter()
                .any(|word| line.contains(word))
            {
                wrong.push(format!("{module}:{number}: {line}"));
            }
        }
    });
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn nothing_but_the_edge_imports_the_configuration() {
    each_source(|module, text| {
        let edge = ["lib", "main"].contains(&module)
            || module.starts_with("config")
            || module.starts_with("server")
            || module.starts_with("doctor")
            || module.starts_with("explain");
        let imports_config = code(text)
            .flat_map(|(_, line)| imports(line))
            .any(|import| import == "config" || import.starts_with("config/"));
        assert!(edge || !imports_config, "{module} imports config");
    });
}

#[test]
fn only_policy_makes_a_permit() {
    each_source(|module, text| {
        let makes = code(text)
            .any(|(_, line)| line.contains("Permit {") && !line.contains("struct") && !line.contains("impl"));
        assert!(!makes || module == "policy", "{module} makes a Permit");
    });
}

#[test]
fn only_the_clock_reads_the_systems_time() {
    each_source(|module, text| {
        let reads = code(text).any(|(_, line)| line.contains("SystemTime::now"));
        assert!(!reads || module == "clock", "{module} reads the system clock");
    });
}
