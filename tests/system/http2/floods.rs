//! Frames that cost the gateway more than they cost whoever sends them.
