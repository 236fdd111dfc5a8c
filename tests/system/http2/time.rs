//! How long clients may be silent, stand still and stay.
