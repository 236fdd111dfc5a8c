//! One worker: the generation that its requests are answered with, and connections and counters that never leave its
//! thread. Knows nothing of where a generation comes from.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use crate::access::log::AccessLog;
use crate::metrics::{RouteSheet, UpstreamSheet, WorkerSheet};
use crate::request_id::RequestIds;
use crate::trace::Dice;
use crate::upstream::deadline::Deadlines;
use crate::upstream::vigil::Vigil;
use crate::upstream::{Shared, Upstream};

use super::Live;

/// Everything of the configuration that one request needs. It takes the generation that is current when it arrives, and
/// keeps it to its end: no request sees two.
pub struct Generation {
    /// The snapshot, which all workers share.
    pub live: Arc<Live>,
    /// This worker's connections, as `Target::Upstream` counts them.
    pub upstreams: Vec<Rc<Upstream>>,
    /// What this worker counts of the routes.
    pub routes_sheet: Arc<RouteSheet>,
    /// What this worker counts of the upstreams, in the same order.
    pub upstream_sheets: Vec<Arc<UpstreamSheet>>,
}

/// One worker.
pub struct Worker {
    generation: RefCell<Rc<Generation>>,
    /// Names for requests.
    pub ids: RequestIds,
    /// Where access lines go.
    pub access: AccessLog,
    /// What this worker counts of itself.
    pub sheet: Arc<WorkerSheet>,
    /// Chooses the requests that are recorded.
    pub dice: Dice,
    /// The time-outs of its upstreams.
    deadlines: Rc<Deadlines>,
    /// The sessions behind what its upstreams keep open.
    vigil: Rc<Vigil>,
}

impl Worker {
    /// A worker that begins with that snapshot.
    pub fn new(live: Arc<Live>, access: AccessLog) -> Self {
        let vigil = Rc::new(Vigil::new(live.clock.clone(), Arc::clone(&live.sessions)));
        let sheet = live.metrics.worker();
        let nothing = Generation {
            live: Arc::clone(&live),
            upstreams: Vec::new(),
            routes_sheet: live.metrics.routes(&[]),
            upstream_sheets: Vec::new(),
        };
        let worker = Self {
            generation: RefCell::new(Rc::new(nothing)),
            sheet,
            dice: Dice::new(),
            ids: RequestIds::new(),
            access,
            deadlines: Rc::new(Deadlines::new(Instant::now())),
            vigil,
        };
        worker.adopt(live);
        worker
    }

    /// The current generation. One request asks for it once.
    pub fn generation(&self) -> Rc<Generation> {
        Rc::clone(&self.generation.borrow())
    }

    /// Answers requests that arrive from now on with another snapshot, of the same sessions. An upstream whose settings
    /// are the same stays the very one, with its open connections.
    pub fn adopt(&self, live: Arc<Live>) {
        let older = self.generation();
        let upstreams = live.upstreams.iter().map(|shared| {
            let same = older.upstreams.iter().find(|known| known.is_for(shared, &live.forwarded));
            same.map_or_else(|| Rc::new(self.connections(&live, shared)), Rc::clone)
        });
        let upstreams = upstreams.collect();
        let routes_sheet = live.metrics.routes(live.routes.names());
        let sheets = live.upstreams.iter().map(|shared| live.metrics.upstream(shared.name()));
        let upstream_sheets = sheets.collect();
        self.generation.replace(Rc::new(Generation { live, upstreams, routes_sheet, upstream_sheets }));
    }

    /// What is due every [`crate::upstream::deadline::TICK`]: lines leave, upstreams that were too slow are given up, and
    /// what stayed open for a session that is over is closed.
    pub fn tick(&self, now: Instant) {
        self.access.flush();
        self.deadlines.tick(now);
        self.vigil.check();
        self.generation.borrow().upstreams.iter().for_each(|upstream| upstream.tick());
    }

    fn connections(&self, live: &Live, shared: &Arc<Shared>) -> Upstream {
        let (deadlines, vigil) = (Rc::clone(&self.deadlines), Rc::clone(&self.vigil));
        Upstream::new(Arc::clone(shared), &live.forwarded, deadlines, vigil)
    }
}
