//! What the program and its service manager (systemd) say to each other: sockets that are brought along, and how things
//! stand. Says nothing where there is no manager. Knows nothing of the service.

use std::net::TcpListener;

use anyhow::Context;
use listenfd::ListenFd;
use sd_notify::NotifyState;

/// The socket's name, as in `FileDescriptorName=http`.
const SOCKET: &str = "http";

/// The listening socket that the manager brought along: the one called `http`, or the only one. To be called once, before
/// there are threads: it clears the variables that tell.
pub(crate) fn socket() -> anyhow::Result<Option<TcpListener>> {
    let names = std::env::var("LISTEN_FDNAMES").unwrap_or_default();
    let mut sockets = ListenFd::from_env();
    let named = names.split(':').position(|name| name == SOCKET);
    let position = match (named, sockets.len()) {
        (_, 0) => return Ok(None),
        (Some(position), _) => position,
        (None, 1) => 0,
        (None, count) => anyhow::bail!(
            "{count} sockets were handed over and none is called {SOCKET}; write FileDescriptorName={SOCKET} into its unit"
        ),
    };
    sockets
        .take_tcp_listener(position)
        .context("the socket that was handed over is not a listening TCP socket")
}

/// It listens and answers.
pub(crate) fn ready() {
    tell(&[NotifyState::Ready]);
}

/// It reads things anew; `ready` is to follow (`Type=notify-reload`).
pub(crate) fn reloading() {
    match NotifyState::monotonic_usec_now() {
        Ok(now) => tell(&[NotifyState::Reloading, now]),
        Err(error) => tracing::warn!(%error, "the service manager cannot be told of the reload"),
    }
}

/// It takes no more requests.
pub(crate) fn stopping() {
    tell(&[NotifyState::Stopping]);
}

fn tell(news: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(news) {
        tracing::warn!(%error, "the service manager does not listen");
    }
}
