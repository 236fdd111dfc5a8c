//! Where the checkout is, from wherever the program is started.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

/// The file by which the root is known.
const MARK: &str = "gateway.toml";

/// The root of the checkout: the folder that holds `gateway.toml`. Looked for from the package that cargo runs, then from
/// the working directory upwards, then where this program was built.
pub fn root() -> anyhow::Result<PathBuf> {
    let cargo = std::env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from);
    let here = std::env::current_dir().context("there is no working directory")?;
    let built = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let mut starts = cargo.into_iter().chain([here, built]);
    match starts.find_map(|start| above(&start)) {
        Some(root) => Ok(root),
        None => bail!("no folder from here upwards holds {MARK}; start the demo inside the checkout"),
    }
}

fn above(start: &Path) -> Option<PathBuf> {
    start
        .ancestors()
        .find(|folder| folder.join(MARK).is_file() && folder.join("deploy").is_dir())
        .map(Path::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_root_holds_the_files_that_the_demo_runs() {
        let root = root().expect("the tests run in a checkout");
        for file in ["gateway.toml", "todo-service/todo-service.toml", "deploy/dev-idp/tenant.toml"] {
            assert!(root.join(file).is_file(), "{file}");
        }
    }

    #[test]
    fn a_folder_outside_any_checkout_has_no_root() {
        assert_eq!(above(Path::new("/")), None);
    }
}
