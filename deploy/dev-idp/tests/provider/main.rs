//! The provider as an app and a browser see it: over a socket, on a free port. Each subject has its own file.

mod app;
mod browser;
mod consent;
mod exchange;
mod faults;
mod outages;
mod people;
mod refresh;
mod sign_in;
mod sign_out;
mod start;
mod tokens;
