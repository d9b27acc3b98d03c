//! The load's process as its parent sees it.

use crate::exit::Failure;
use serde::Deserialize;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

/// A running load. It ends with its standard input, also when this process dies.
pub(super) struct LoadChild {
    child: Child,
    orders: Option<ChildStdin>,
    answers: Receiver<Answer>,
    /// The broker.
    pub(super) brokers: String,
    /// Spans sent so far, as last told.
    pub(super) sent: u64,
}

/// A line of its output.
#[derive(Debug, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Answer {
    Ready { brokers: String },
    At { spans: u64 },
    Done { spans: u64, offered_per_s: f64, late_ms: u64, failed: u64 },
}

/// What a finished order came to.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Done {
    pub(super) offered_per_s: f64,
    /// How far the generator was behind its own clock at most.
    pub(super) late_ms: u64,
}

impl LoadChild {
    pub(super) fn start(mix: &str, prefix: &str, brokers: Option<&str>) -> Result<LoadChild, Failure> {
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["bench-load", "--mix", mix, "--prefix", prefix]);
        command.args(brokers.into_iter().flat_map(|brokers| ["--brokers", brokers]));
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let (orders, output) = (child.stdin.take(), child.stdout.take());
        let (told, answers) = channel();
        std::thread::spawn(move || {
            let lines = output.into_iter().flat_map(|output| BufReader::new(output).lines()).map_while(Result::ok);
            for line in lines {
                let heard = serde_json::from_str(&line).is_ok_and(|answer: Answer| told.send(answer).is_ok());
                if !heard {
                    break;
                }
            }
        });
        let mut load = LoadChild { child, orders, answers, brokers: String::new(), sent: 0 };
        match load.answers.recv_timeout(Duration::from_secs(60)) {
            Ok(Answer::Ready { brokers }) => load.brokers = brokers,
            _ => return Err(gone()),
        }
        Ok(load)
    }

    /// Writes a backlog and waits until it is there.
    pub(super) fn fill(&mut self, spans: u64) -> Result<Done, Failure> {
        self.order(&format!("fill {spans}"))?;
        self.finish(Duration::from_secs(300), &mut |_| {})
    }

    /// Begins to send at a rate; [`LoadChild::finish`] sees it end.
    pub(super) fn sing(&mut self, spans_per_s: f64, length: Duration) -> Result<(), Failure> {
        self.order(&format!("sing {spans_per_s} {}", length.as_secs_f64()))
    }

    /// Waits until the order is done; `each` is called several times a second with the spans sent so far.
    pub(super) fn finish(&mut self, patience: Duration, each: &mut dyn FnMut(u64)) -> Result<Done, Failure> {
        loop {
            match self.answers.recv_timeout(patience) {
                Ok(Answer::Done { failed: 1.., .. }) => {
                    return Err(Failure::job("the broker refused records of the load"));
                }
                Ok(Answer::Done { spans, offered_per_s, late_ms, .. }) => {
                    self.sent = spans;
                    return Ok(Done { offered_per_s, late_ms });
                }
                Ok(Answer::At { spans }) => {
                    self.sent = spans;
                    each(spans);
                }
                Ok(Answer::Ready { .. }) => {}
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => return Err(gone()),
            }
        }
    }

    fn order(&mut self, order: &str) -> Result<(), Failure> {
        let orders = self.orders.as_mut().ok_or_else(gone)?;
        writeln!(orders, "{order}")?;
        Ok(orders.flush()?)
    }
}

fn gone() -> Failure {
    Failure::job("the load's process has ended or does not answer; its last words stand above")
}

impl Drop for LoadChild {
    fn drop(&mut self) {
        self.orders = None;
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
