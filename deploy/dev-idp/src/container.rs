//! The one exception to "loopback only": a container, whose loopback interface nobody else reaches. Knows how to tell
//! that this is one; who reaches its ports is for the container engine to say.

use std::path::Path;

/// The proof that this process runs in a container, and the name under which browsers and other containers find it.
/// Without it the provider listens on loopback only.
#[derive(Clone, Debug)]
pub struct Container {
    name: String,
}

/// Why there is no exception.
#[derive(Debug, thiserror::Error)]
pub enum ContainerError {
    /// No engine left its mark here.
    #[error(
        "this is not a container (there is neither /.dockerenv nor /run/.containerenv), so the development identity \
         provider listens on loopback only: its passwords are public; leave --in-container out"
    )]
    Outside,
    /// A name that may mean any machine.
    #[error(
        "\"{0}\" is not localhost or a name under it, such as idp.localhost: browsers must look for it on their own machine"
    )]
    Name(String),
}

/// What engines put into their containers: Docker, and Podman.
const MARKS: [&str; 2] = [".dockerenv", "run/.containerenv"];

impl Container {
    /// Looks around. `name` is `localhost` or a name under it.
    pub fn find(name: &str) -> Result<Self, ContainerError> {
        Self::below(Path::new("/"), name)
    }

    fn below(root: &Path, name: &str) -> Result<Self, ContainerError> {
        let label = |label: &str| {
            !label.is_empty() && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        };
        let name = name.to_ascii_lowercase();
        let is_local = name == "localhost" || name.ends_with(".localhost");
        if !is_local || !name.split('.').all(label) {
            return Err(ContainerError::Name(name));
        }
        let inside = MARKS.iter().any(|mark| root.join(mark).exists());
        if inside { Ok(Self { name }) } else { Err(ContainerError::Outside) }
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_an_engine_marked_is_a_container() {
        let root = tempfile::tempdir().expect("a temporary folder");
        assert!(matches!(Container::below(root.path(), "idp.localhost"), Err(ContainerError::Outside)));
        std::fs::write(root.path().join(".dockerenv"), "").expect("written");
        let container = Container::below(root.path(), "IdP.localhost").expect("marked");
        assert_eq!(container.name(), "idp.localhost");
    }

    #[test]
    fn its_name_leads_browsers_to_their_own_machine() {
        let root = tempfile::tempdir().expect("a temporary folder");
        std::fs::create_dir(root.path().join("run")).expect("made");
        std::fs::write(root.path().join("run/.containerenv"), "").expect("written");
        for good in ["localhost", "idp.localhost", "a-b.c.localhost"] {
            assert!(Container::below(root.path(), good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "idp.example",
            "localhost.example",
            ".localhost",
            "a b.localhost",
            "x/y.localhost",
            "mylocalhost",
        ] {
            assert!(matches!(Container::below(root.path(), bad), Err(ContainerError::Name(_))), "{bad}");
        }
    }
}
