//! What every request counts: rate, errors and duration. Each worker writes sheets of its own and never waits for another;
//! a route is a number there, so that no request can add a series (requirement LG-05).

use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::StatusCode;

use crate::stop::Reason;

use super::book::{Book, Sheet};
use super::cells::{Cell, HISTOGRAM, observe};
use super::standing::Standing;
use super::vocabulary::{Handshake, Refusal, Trouble};

/// What requests without a route are counted under.
pub(super) const NO_ROUTE: &str = "none";
/// One cell for each class of statuses, from 1xx to 5xx.
pub(super) const CLASSES: usize = 5;

/// All sheets of all workers.
#[derive(Debug, Default)]
pub(super) struct Traffic {
    pub(super) routes: Book<RouteSheet>,
    pub(super) upstreams: Book<UpstreamSheet>,
    pub(super) workers: Book<WorkerSheet>,
    /// How upstreams stand, as was said last.
    pub(super) standings: Mutex<Vec<Standing>>,
}

/// What one worker counts of the routes of one configuration.
#[derive(Debug)]
pub struct RouteSheet {
    names: Arc<[Arc<str>]>,
    /// One more than there are names: the last is for requests without a route.
    rows: Box<[RouteRow]>,
}

/// Aligned, so that a request touches few lines of the cache.
#[derive(Debug, Default)]
#[repr(align(64))]
struct RouteRow([Cell; CLASSES + HISTOGRAM]);

impl RouteSheet {
    /// All at zero. A route's number is its position among the names.
    pub(super) fn new(names: &[Arc<str>]) -> Self {
        let names: Arc<[Arc<str>]> = names.iter().cloned().chain([NO_ROUTE.into()]).collect();
        let rows = names.iter().map(|_| RouteRow::default()).collect();
        Self { names, rows }
    }

    /// A request was answered: by which route, how, and how long the answer's head took.
    pub fn answered(&self, route: Option<usize>, status: StatusCode, took: Duration) {
        let row = route.and_then(|number| self.rows.get(number)).or(self.rows.last());
        let Some(RouteRow(cells)) = row else {
            return;
        };
        cells[class(status)].add(1);
        observe(&cells[CLASSES..], took);
    }
}

impl Sheet for RouteSheet {
    const GAUGES: usize = 0;

    fn rows(&self) -> impl Iterator<Item = (&Arc<str>, &[Cell])> {
        self.names.iter().zip(self.rows.iter().map(|row| &row.0[..]))
    }
}

/// What one worker counts of itself.
#[derive(Debug)]
pub struct WorkerSheet {
    name: Arc<str>,
    cells: Box<[Cell]>,
}

/// The places of a worker's numbers. Gauges stand at the end.
#[derive(Clone, Copy, Debug)]
pub(super) struct WorkerPlaces;

impl WorkerPlaces {
    pub(super) const STOPPED: usize = 0;
    pub(super) const REFUSED: usize = Self::STOPPED + Reason::ALL.len();
    pub(super) const HANDSHAKES: usize = Self::REFUSED + Refusal::ALL.len();
    pub(super) const ABANDONED: usize = Self::HANDSHAKES + Handshake::ALL.len();
    pub(super) const PANICS: usize = Self::ABANDONED + 1;
    pub(super) const ACCEPTED: usize = Self::PANICS + 1;
    pub(super) const OPEN: usize = Self::ACCEPTED + 1;
    pub(super) const IN_FLIGHT: usize = Self::OPEN + 1;
    const COUNT: usize = Self::IN_FLIGHT + 1;
}

impl WorkerSheet {
    pub(super) fn new() -> Self {
        Self { name: "workers".into(), cells: (0..WorkerPlaces::COUNT).map(|_| Cell::default()).collect() }
    }

    /// The gateway itself ended a request.
    pub fn stopped(&self, reason: Reason) {
        self.cells[WorkerPlaces::STOPPED + reason as usize].add(1);
    }

    /// A defect showed; it cost one request.
    pub fn panicked(&self) {
        self.cells[WorkerPlaces::PANICS].add(1);
    }

    /// A client's connection, counted as open until the value is dropped.
    pub fn connected(self: &Arc<Self>) -> Connected {
        self.cells[WorkerPlaces::ACCEPTED].add(1);
        self.cells[WorkerPlaces::OPEN].add(1);
        Connected(Arc::clone(self))
    }

    /// A client's connection was not served.
    pub fn refused(&self, why: Refusal) {
        self.cells[WorkerPlaces::REFUSED + why as usize].add(1);
    }

    /// How a TLS handshake went.
    pub fn shook_hands(&self, how: Handshake) {
        self.cells[WorkerPlaces::HANDSHAKES + how as usize].add(1);
    }

    /// A request that is being answered, until the value is dropped.
    pub fn begun(&self) -> InFlight<'_> {
        self.cells[WorkerPlaces::IN_FLIGHT].add(1);
        InFlight { sheet: self, is_answered: false }
    }
}

impl Sheet for WorkerSheet {
    const GAUGES: usize = 2;

    fn rows(&self) -> impl Iterator<Item = (&Arc<str>, &[Cell])> {
        [(&self.name, &self.cells[..])].into_iter()
    }
}

/// An open connection of a client. Belongs to its worker's thread.
#[derive(Debug)]
pub struct Connected(Arc<WorkerSheet>);

impl Drop for Connected {
    fn drop(&mut self) {
        self.0.cells[WorkerPlaces::OPEN].take(1);
    }
}

/// A request that is being answered. Belongs to its worker's thread.
#[derive(Debug)]
pub struct InFlight<'w> {
    sheet: &'w WorkerSheet,
    is_answered: bool,
}

impl InFlight<'_> {
    /// The answer begins.
    pub fn answered(mut self) {
        self.is_answered = true;
    }
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.sheet.cells[WorkerPlaces::IN_FLIGHT].take(1);
        if !self.is_answered {
            self.sheet.cells[WorkerPlaces::ABANDONED].add(1);
        }
    }
}

/// What one worker counts of one upstream.
#[derive(Debug)]
pub struct UpstreamSheet {
    name: Arc<str>,
    cells: Box<[Cell]>,
}

/// The places of an upstream's numbers.
#[derive(Clone, Copy, Debug)]
pub(super) struct UpstreamPlaces;

impl UpstreamPlaces {
    pub(super) const FIRST_BYTE: usize = CLASSES;
    pub(super) const TROUBLES: usize = Self::FIRST_BYTE + HISTOGRAM;
    const COUNT: usize = Self::TROUBLES + Trouble::ALL.len();
}

impl UpstreamSheet {
    pub(super) fn new(name: &str) -> Self {
        let cells = (0..UpstreamPlaces::COUNT).map(|_| Cell::default()).collect();
        Self { name: name.into(), cells }
    }

    /// The head of an answer came, so long after the upstream was chosen.
    pub fn answered(&self, status: StatusCode, took: Duration) {
        self.cells[class(status)].add(1);
        observe(&self.cells[UpstreamPlaces::FIRST_BYTE..UpstreamPlaces::TROUBLES], took);
    }

    /// There was no answer.
    pub fn failed(&self, why: Trouble) {
        self.cells[UpstreamPlaces::TROUBLES + why as usize].add(1);
    }
}

impl Sheet for UpstreamSheet {
    const GAUGES: usize = 0;

    fn rows(&self) -> impl Iterator<Item = (&Arc<str>, &[Cell])> {
        [(&self.name, &self.cells[..])].into_iter()
    }
}

/// The place of a status among the classes.
fn class(status: StatusCode) -> usize {
    usize::from(status.as_u16() / 100).clamp(1, CLASSES) - 1
}
