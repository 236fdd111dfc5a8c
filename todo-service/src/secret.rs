//! Secrets that are kept outside the configuration: in a file or in the environment. Never printed; knows nothing of
//! what they open.

use std::fmt;
use std::path::PathBuf;

/// Where a secret is kept. It is read each time that it is needed, so a new one takes effect without a restart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretSource {
    /// A file; one line break at its end is not part of the secret.
    File(PathBuf),
    /// An environment variable.
    Env(String),
}

/// A secret. `Debug` does not show it.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Secret(String);

/// A secret could not be had.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The file cannot be read.
    #[error("the file {} cannot be read; create it, or correct its path", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the operating system says.
        source: std::io::Error,
    },
    /// The file is there, and there is nothing in it.
    #[error("the file {} is empty; write the secret into it", .0.display())]
    Empty(PathBuf),
    /// The variable is not set, or is not text.
    #[error("the environment variable {0} is not set; set it, or name a file")]
    Env(String),
}

impl SecretSource {
    /// Reads it. These are small local files: waiting for them is not worth another thread.
    pub(crate) fn read(&self) -> Result<Secret, SecretError> {
        match self {
            Self::File(path) => {
                let text = std::fs::read_to_string(path)
                    .map_err(|source| SecretError::File { path: path.clone(), source })?;
                let line = text.strip_suffix('\n').map(|line| line.strip_suffix('\r').unwrap_or(line));
                let text = line.unwrap_or(&text);
                if text.is_empty() {
                    Err(SecretError::Empty(path.clone()))
                } else {
                    Ok(Secret(text.to_owned()))
                }
            }
            Self::Env(name) => match std::env::var(name) {
                Ok(text) if !text.is_empty() => Ok(Secret(text)),
                _ => Err(SecretError::Env(name.clone())),
            },
        }
    }
}

impl Secret {
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Secret(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_the_files_text_without_its_last_line_break() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("password");
        for (text, secret) in
            [("s3cret", "s3cret"), ("s3cret\n", "s3cret"), ("s3cret\r\n", "s3cret"), (" a b\n\n", " a b\n")]
        {
            std::fs::write(&file, text).expect("written");
            let read = SecretSource::File(file.clone()).read().expect("readable");
            assert_eq!(read.expose(), secret);
            assert!(!format!("{read:?}").contains("s3cret"));
        }
    }

    #[test]
    fn what_is_missing_is_named_with_the_fix() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("password");
        let complaint = || SecretSource::File(file.clone()).read().expect_err("no secret").to_string();
        assert!(complaint().contains("password cannot be read; create it"), "{}", complaint());
        std::fs::write(&file, "\n").expect("written");
        assert!(complaint().contains("is empty"), "{}", complaint());
        let missing =
            SecretSource::Env("TODO_SERVICE_NO_SUCH_VARIABLE".to_owned()).read().expect_err("not set");
        assert!(missing.to_string().contains("TODO_SERVICE_NO_SUCH_VARIABLE is not set"), "{missing}");
        assert!(SecretSource::Env("PATH".to_owned()).read().is_ok());
    }
}
