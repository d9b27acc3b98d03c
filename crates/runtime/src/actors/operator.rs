//! The operator: orders and reports in. Verifies who ordered and hands it to the engine, whose mailbox overtakes data.

use crate::actors::{Ordered, Reports};
use crate::capacity::OPERATOR_MAILBOX;
use crate::clock::now_ms;
use crate::news::Post;
use crate::state::State;
use crate::tails::Heard;
use actix::prelude::*;
use control::{OrderGate, decode_report};
use model::{GuardReport, Order};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, oneshot};
use tokio_stream::wrappers::ReceiverStream;

/// Reports go to the engine together, this often.
const REPORTS_EVERY: Duration = Duration::from_millis(100);
/// Reports that wait while the engine is busy.
const REPORTS_HELD: usize = 4096;

/// An order that came by another way than the topic, from somebody who may order.
pub(crate) struct Posted {
    pub(crate) order: Order,
    pub(crate) received: Instant,
    pub(crate) done: oneshot::Sender<()>,
}

impl Message for Posted {
    type Result = ();
}

/// What the operator needs to start.
pub(crate) struct OperatorSeed {
    pub(crate) gate: OrderGate,
    pub(crate) orders: Recipient<Ordered>,
    pub(crate) reports: Recipient<Reports>,
    pub(crate) heard: mpsc::Receiver<Heard>,
    pub(crate) state: Arc<State>,
    pub(crate) post: Post,
}

/// The operator's actor.
pub(crate) struct Operator {
    gate: OrderGate,
    orders: Recipient<Ordered>,
    reports: Recipient<Reports>,
    held: Vec<GuardReport>,
    state: Arc<State>,
    post: Post,
}

impl Operator {
    /// The actor in its context, with its stream.
    pub(crate) fn begin(seed: OperatorSeed, ctx: &mut Context<Self>) -> Operator {
        let OperatorSeed { gate, orders, reports, heard, state, post } = seed;
        ctx.set_mailbox_capacity(OPERATOR_MAILBOX);
        ctx.add_stream(ReceiverStream::new(heard));
        ctx.run_interval(REPORTS_EVERY, |actor, _| actor.hand_over());
        Operator { gate, orders, reports, held: Vec::new(), state, post }
    }

    fn ordered(&mut self, record: kafka::TailRecord, ctx: &mut Context<Self>) {
        match self.gate.offer(&record.into_record(), now_ms()) {
            Ok(order) => self.forward(Ordered { order, received: Instant::now(), done: None }, ctx),
            Err(refusal) => {
                tracing::warn!(%refusal, "an order is not taken");
                self.state.counters.orders_refused.add(1);
            }
        }
    }

    fn reported(&mut self, record: kafka::TailRecord) {
        match decode_report(&record.into_record()) {
            Ok(report) if self.held.len() < REPORTS_HELD => self.held.push(report),
            Ok(_) => self.state.counters.reports_dropped.add(1),
            Err(error) => {
                tracing::debug!(%error, "a report cannot be read");
                self.state.counters.reports_refused.add(1);
            }
        }
    }

    /// An order is never dropped: the operator waits for the engine's mailbox.
    fn forward(&mut self, ordered: Ordered, ctx: &mut Context<Self>) {
        tracing::info!(order = %ordered.order.id, by = %ordered.order.by, kind = ?ordered.order.kind, "an order");
        let sent = self.orders.send(ordered).into_actor(self);
        ctx.wait(sent.map(|answer, actor, ctx| {
            if let Err(error) = answer {
                actor.post.fail(format!("the engine takes no orders: {error}"));
                ctx.stop();
            }
        }));
    }

    fn hand_over(&mut self) {
        if self.held.is_empty() {
            return;
        }
        if let Err(actix::prelude::SendError::Full(reports)) =
            self.reports.try_send(Reports(std::mem::take(&mut self.held)))
        {
            self.held = reports.0;
        }
    }
}

impl Actor for Operator {
    type Context = Context<Self>;
}

impl StreamHandler<Heard> for Operator {
    fn handle(&mut self, heard: Heard, ctx: &mut Context<Self>) {
        match heard {
            Heard::Order(record) => self.ordered(record, ctx),
            Heard::Report(record) => self.reported(record),
        }
    }

    fn finished(&mut self, ctx: &mut Context<Self>) {
        self.post.finish();
        ctx.stop();
    }
}

impl Handler<Posted> for Operator {
    type Result = ();

    fn handle(&mut self, posted: Posted, ctx: &mut Context<Self>) {
        let Posted { order, received, done } = posted;
        self.gate.remember(&order.id, order.at_ms);
        self.forward(Ordered { order, received, done: Some(done) }, ctx);
    }
}
