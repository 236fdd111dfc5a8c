//! The provider as an app and a browser see it: over a socket, on a free port. Each subject has its own file.

mod algorithms;
mod app;
mod authentication;
mod browser;
mod consent;
mod exchange;
mod faults;
mod listener;
mod outages;
mod people;
mod pushed;
mod refresh;
mod requests;
mod sign_in;
mod sign_out;
mod sign_out_elsewhere;
mod start;
mod tokens;
