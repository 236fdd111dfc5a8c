//! What the provider, or somebody in its place, sends: see [`crate::fuzzing`].

pub(crate) mod documents;
pub(crate) mod tokens;
