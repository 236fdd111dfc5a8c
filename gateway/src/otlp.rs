//! Recorded requests on their way to a collector, by OTLP over HTTP. A request never waits for it: what does not fit into
//! the queue, and what the collector does not take, is dropped and counted. Knows nothing of what a request is.

mod post;
pub mod wire;

use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue};
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot};
use url::Url;

use crate::metrics::{Metrics, SpanFate};
use crate::secret::Secret;
use crate::trace::{Sampling, Story, Trust};

pub use wire::Resource;

/// How many requests may wait to be sent.
const QUEUE: usize = 2_048;
/// How long the last ones may take when the gateway stops.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// The resolved `[telemetry]` section.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Which requests are recorded.
    pub sampling: Sampling,
    /// Where to; nothing if traces only pass.
    pub collector: Option<Collector>,
}

/// Where recorded requests are sent.
#[derive(Clone, Debug)]
pub struct Collector {
    /// The address, with its path.
    pub url: Url,
    /// What it wants to be shown.
    pub headers: Vec<(HeaderName, Secret<String>)>,
    /// What describes this gateway.
    pub resource: Resource,
}

/// The way of recorded requests to the collector.
pub struct Traces {
    sampling: Sampling,
    queue: Option<mpsc::Sender<Item>>,
    metrics: Arc<Metrics>,
}

enum Item {
    Story(Box<Story>),
    /// Somebody wants to know when all that came before is sent.
    Flush(oneshot::Sender<()>),
}

impl Traces {
    /// Begins to send, on the control runtime, until this value is dropped. Nothing if there is nothing to do for any
    /// request.
    pub fn start(settings: Option<Settings>, metrics: &Arc<Metrics>, control: &Handle) -> Option<Arc<Self>> {
        let Settings { sampling, collector } = settings?;
        if collector.is_none() && sampling.trust == Trust::Nobody {
            return None;
        }
        let queue = collector.map(|collector| {
            let (queue, items) = mpsc::channel(QUEUE);
            control.spawn(post::run(collector, items, Arc::clone(metrics)));
            queue
        });
        Some(Arc::new(Self { sampling, queue, metrics: Arc::clone(metrics) }))
    }

    /// Which requests are recorded.
    pub fn sampling(&self) -> &Sampling {
        &self.sampling
    }

    /// Sends a recorded request, sometime.
    pub fn tell(&self, story: Story) {
        let count = story.spans.len();
        let sent =
            self.queue.as_ref().is_some_and(|queue| queue.try_send(Item::Story(Box::new(story))).is_ok());
        if !sent {
            self.metrics.spans(SpanFate::QueueFull, count);
        }
    }

    /// Sends what waits, or gives up after two seconds.
    pub async fn flush(&self) {
        let Some(queue) = &self.queue else {
            return;
        };
        let flush = async {
            let (done, is_done) = oneshot::channel();
            if queue.send(Item::Flush(done)).await.is_ok() {
                let _ = is_done.await;
            }
        };
        let _ = tokio::time::timeout(LAST_WORDS, flush).await;
    }
}

/// What the collector wants to be shown, as headers.
fn headers(collector: &Collector) -> HeaderMap {
    let readable = collector.headers.iter().filter_map(|(name, value)| {
        // The configuration refuses what is no header value.
        let mut value = HeaderValue::from_str(value.expose()).ok()?;
        value.set_sensitive(true);
        Some((name.clone(), value))
    });
    readable.collect()
}
