//! An order's way: signed to the orders topic, or posted to the admin address; and the engine's answer, which is the entry
//! of the audit trail that names the order.

use super::now_ms;
use crate::cli::ByHand;
use crate::commands::kafka_failure;
use crate::config::Config;
use crate::exit::Failure;
use crate::print::{self, Format};
use crate::{keys, wiring};
use kafka::{Edge, Outgoing, Tail, TailConfig, Writer, WriterConfig};
use model::{Order, OrderKind};
use serde_json::json;
use std::time::{Duration, Instant};

/// An order is carried out well within a second; an election may be under way.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);
/// What an entry begins with when the engine did not do it.
const NOT_DONE: &str = "not carried out";

/// Orders `kinds`, one after the other, and tells what came of each.
///
/// # Errors
/// When Kafka or the admin address cannot be reached, no engine answers, or one of them was not carried out.
pub(super) fn give(config: &Config, hand: &ByHand, kinds: Vec<OrderKind>, format: Format) -> Result<(), Failure> {
    let topics = wiring::topics(config);
    let audit = TailConfig::new(wiring::connection(config), &topics.audit, Edge::Latest);
    let mut audit = Tail::connect(&audit).map_err(kafka_failure)?;
    let stamp = hex(&keys::seed()?[..6]);
    let orders: Vec<Order> = (1..)
        .zip(kinds)
        .map(|(number, kind)| Order {
            id: format!("hand-{stamp}-{number}"),
            by: hand.by.clone(),
            note: hand.note.clone(),
            at_ms: now_ms(),
            kind,
        })
        .collect();
    match &hand.key {
        Some(path) => sign(config, &path.display().to_string(), &orders)?,
        None => orders.iter().try_for_each(|order| post(config, order))?,
    }
    let mut refused = 0;
    for (order, text) in answers(&mut audit, &orders)? {
        let is_done = !text.starts_with(NOT_DONE);
        refused += usize::from(!is_done);
        match format {
            Format::Json => {
                let order = serde_json::to_value(order).unwrap_or_default();
                print::json(&json!({"type": "order", "done": is_done, "result": text, "order": order}))?;
            }
            Format::Text => print::line(&text)?,
        }
    }
    if refused > 0 {
        return Err(Failure::job(format!("{refused} of {} orders were not carried out", orders.len())));
    }
    Ok(())
}

fn sign(config: &Config, key: &str, orders: &[Order]) -> Result<(), Failure> {
    let signer = keys::signer(key)?;
    let topic = &config.topics.orders;
    let writer = WriterConfig { connection: wiring::connection(config), linger_ms: 0, ..WriterConfig::default() };
    let writer = Writer::connect(&writer).map_err(kafka_failure)?;
    for order in orders {
        let record = signer.order(&config.domain.name, order);
        writer.send(&Outgoing::of(topic, record)).map_err(kafka_failure)?;
    }
    let written = writer.flush(ANSWER_WITHIN).map_err(kafka_failure)?;
    match written.last_error {
        Some(error) if written.failed > 0 => Err(Failure::job(format!("the order was not written: {error}"))),
        _ => Ok(()),
    }
}

fn post(config: &Config, order: &Order) -> Result<(), Failure> {
    let url = format!("http://{}/orders", config.admin.address);
    let agent = agent();
    let mut request = agent.post(&url).header("content-type", "application/json");
    if !config.admin.token.is_empty() {
        request = request.header("authorization", format!("Bearer {}", config.admin.token));
    }
    let body = serde_json::to_vec(order).map_err(Failure::job)?;
    let away = |error: ureq::Error| {
        Failure::job(format!("{url}: {error}; is `stopbank run` up? With --key the order goes through Kafka instead"))
    };
    let mut answer = request.send(&body).map_err(away)?;
    if answer.status().is_success() {
        return Ok(());
    }
    let why = answer.body_mut().read_to_string().unwrap_or_default();
    Err(Failure::job(format!("{url} answers {}: {why}", answer.status())))
}

/// Asks the admin address; statuses are no errors.
pub(super) fn agent() -> ureq::Agent {
    let config = ureq::Agent::config_builder().http_status_as_error(false).timeout_global(Some(ANSWER_WITHIN));
    config.build().into()
}

/// What the audit trail says of each order.
fn answers<'a>(audit: &mut Tail, orders: &'a [Order]) -> Result<Vec<(&'a Order, String)>, Failure> {
    let deadline = Instant::now() + ANSWER_WITHIN;
    let mut found = Vec::new();
    while found.len() < orders.len() {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(Failure::job(
                "no engine answered: is `stopbank run` up for this domain, and does its `signing.operators_file` hold the \
                 key? (its log and `stopbank_orders_refused_total` tell)",
            ));
        }
        let Some(record) = audit.next(left.min(Duration::from_millis(200))).map_err(kafka_failure)? else { continue };
        let Ok(link) = control::decode_audit(&record.into_record()) else { continue };
        if let Some(order) = orders.iter().find(|order| order.id == link.entry.subject) {
            found.push((order, link.entry.text));
        }
    }
    Ok(found)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
