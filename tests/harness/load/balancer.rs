//! A load balancer as simple as they come: evenly, over kept connections, and to the next gateway when one refuses or
//! drops a request that may be repeated. Knows nothing of what is asked.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use url::Url;

use crate::ask::Ask;
use crate::exchange::{Broken, Line};
use crate::reply::Reply;

/// Where a request ended.
pub(super) enum Reached {
    /// At a gateway.
    Reply { reply: Reply, moved: bool },
    /// Nowhere.
    Nobody(String),
}

#[derive(Debug)]
pub(super) struct Balancer {
    gateways: Vec<Gateway>,
    next: AtomicUsize,
}

#[derive(Debug)]
struct Gateway {
    port: u16,
    idle: Mutex<Vec<Line>>,
}

impl Balancer {
    pub(super) fn new(ports: Vec<u16>) -> Self {
        let gateways = ports.into_iter().map(|port| Gateway { port, idle: Mutex::default() });
        Self { gateways: gateways.collect(), next: AtomicUsize::new(0) }
    }

    /// Sends a request that may be repeated. `ask` is called for each try, since cookies may have changed meanwhile.
    pub(super) async fn send(&self, ask: impl Fn() -> Ask, url: &Url) -> Reached {
        // By the sum of its binary digits: as often the one as the other, and in no step with who asks for what.
        let first = self.next.fetch_add(1, Ordering::Relaxed).count_ones() as usize;
        let mut why = String::new();
        // Twice around: a gateway may die just when the other has come back.
        for step in 0..self.gateways.len() * 2 {
            let gateway = &self.gateways[(first + step) % self.gateways.len()];
            match gateway.exchange(&ask(), url).await {
                Ok(reply) => return Reached::Reply { reply, moved: step > 0 },
                Err(error) => why = error.to_string(),
            }
        }
        Reached::Nobody(why)
    }
}

impl Gateway {
    async fn exchange(&self, ask: &Ask, url: &Url) -> Result<Reply, Broken> {
        while let Some(mut line) = self.kept() {
            // A kept connection may have been closed long ago; that says nothing of the gateway.
            if let Ok(reply) = line.exchange(ask, url).await {
                self.keep(line);
                return Ok(reply);
            }
        }
        let mut line = Line::connect(self.port).await?;
        let reply = line.exchange(ask, url).await?;
        self.keep(line);
        Ok(reply)
    }

    fn kept(&self) -> Option<Line> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        while let Some(line) = idle.pop() {
            if line.is_open() {
                return Some(line);
            }
        }
        None
    }

    fn keep(&self, line: Line) {
        if line.is_open() {
            self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(line);
        }
    }
}
