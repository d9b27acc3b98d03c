//! The clients: an open loop. Requests come as they come, whether or not the ones before were answered; each client waits for
//! a while, tries once more, and gives up.

use crate::caller::{Http, Outcome, ask, http};
use crate::plan::{Plan, Stream};
use crate::spans::random;
use axum::http::{HeaderMap, HeaderValue};
use guard::{Labels, Retry};
use serde::{Deserialize, Serialize};
use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// One second of the clients: what they asked in it, and what of it was answered.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Second {
    /// Seconds from the start.
    pub(crate) at_s: u64,
    /// Requests begun in it.
    pub(crate) offered: u32,
    /// Requests answered in it.
    pub(crate) good: u32,
    /// Requests refused in it, and not tried again.
    pub(crate) refused: u32,
    /// Requests that failed for good in it.
    pub(crate) failed: u32,
    /// Requests of the most important class answered in it.
    pub(crate) vital: u32,
}

/// Sends the load until the process is ended; prints one line of JSON a second.
///
/// # Errors
/// When nobody reads the lines any more.
pub(crate) async fn run(plan: Plan) -> Result<(), String> {
    let (http, began) = (http(), Instant::now());
    let tally: Arc<Mutex<Second>> = Arc::default();
    let address: Arc<str> = plan.address("web").into();
    for stream in &plan.load.stream {
        let ask = Asking {
            http: http.clone(),
            url: format!("http://{address}{}", stream.operation).into(),
            tally: tally.clone(),
            timeout: Duration::from_millis(plan.load.timeout_ms),
            attempts: plan.load.attempts,
        };
        tokio::spawn(arrivals(stream.clone(), ask));
    }
    for at_s in 0.. {
        tokio::time::sleep_until((began + Duration::from_secs(at_s + 1)).into()).await;
        let second = std::mem::take(&mut *tally.lock().unwrap_or_else(PoisonError::into_inner));
        let line = serde_json::to_string(&Second { at_s, ..second }).map_err(|error| error.to_string())?;
        let mut out = std::io::stdout().lock();
        writeln!(out, "{line}").and_then(|()| out.flush()).map_err(|error| error.to_string())?;
    }
    Ok(())
}

/// One kind of request.
#[derive(Clone)]
struct Asking {
    http: Http,
    url: Arc<str>,
    tally: Arc<Mutex<Second>>,
    timeout: Duration,
    attempts: u32,
}

/// Arrivals at even intervals, each a little early or late.
async fn arrivals(stream: Stream, asking: Asking) {
    let every = Duration::from_secs_f64(1.0 / stream.rate_rps);
    let began = Instant::now();
    for number in 0.. {
        let jitter = (random() % 1000) as f64 / 1000.0;
        tokio::time::sleep_until((began + every.mul_f64(f64::from(number) + jitter)).into()).await;
        let (asking, class) = (asking.clone(), stream.class);
        tokio::spawn(async move {
            asking.count(|second| second.offered += 1);
            let cohort = (random() % 128) as u8;
            let labels = Labels { criticality: Some(class), cohort: Some(cohort), ..Labels::default() };
            let outcome = asking.ask(labels).await;
            asking.count(|second| match outcome {
                Outcome::Good => {
                    second.good += 1;
                    second.vital += u32::from(class == model::Criticality::CriticalPlus);
                }
                Outcome::Refused(_) => second.refused += 1,
                Outcome::Timeout | Outcome::Failed => second.failed += 1,
            });
        });
    }
}

impl Asking {
    /// A client's tries. One that is told not to come back does not.
    async fn ask(&self, labels: Labels) -> Outcome {
        let mut outcome = Outcome::Failed;
        for attempt in 1..=self.attempts {
            let mut headers = HeaderMap::new();
            Labels { attempt, ..labels }.write(&mut headers, 0);
            headers.insert("user-agent", HeaderValue::from_static("fleet-load"));
            outcome = ask(&self.http, &self.url, headers, self.timeout).await;
            match outcome {
                Outcome::Good | Outcome::Refused(Retry::Never) => break,
                Outcome::Refused(Retry::AfterMs(wait)) => tokio::time::sleep(Duration::from_millis(wait.into())).await,
                Outcome::Timeout | Outcome::Failed => {}
            }
        }
        outcome
    }

    fn count(&self, change: impl FnOnce(&mut Second)) {
        change(&mut self.tally.lock().unwrap_or_else(PoisonError::into_inner));
    }
}
