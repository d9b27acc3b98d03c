//! One record of every kind, with fixed keys and times.

use control::{
    AuditChain, Claim, DeadLetter, JournalHeader, Record, Signer, claim_record, dead_letter_record, finding_record,
    journal_record, report_record,
};
use model::{
    AuditEntry, AuditKind, BreakerPhase, BreakerReport, Command, CommandId, Criticality, Evidence, Finding, FindingId,
    FindingState, GuardReport, Knob, Mode, Obeyed, Order, OrderKind, Reason, Setting, Signature, Target,
};

/// When the samples were signed.
pub(crate) const ISSUED_MS: u64 = 1_790_000_000_000;

/// The domain of the samples.
pub(crate) const DOMAIN: &str = "shop";

/// The seeds of the engine's and the operator's key. Published: good for tests only.
pub(crate) const SEEDS: [[u8; 32]; 2] = [[0x11; 32], [0x22; 32]];

/// A record, where it stands, and the schema of its value (or, for the journal, of its header).
pub(crate) struct Sample {
    pub(crate) name: &'static str,
    pub(crate) topic: &'static str,
    pub(crate) schema: &'static str,
    pub(crate) record: Record,
}

pub(crate) fn engine() -> Signer {
    Signer::from_seed(SEEDS[0])
}

pub(crate) fn operator() -> Signer {
    Signer::from_seed(SEEDS[1])
}

/// A command that sheds half of the batch work.
pub(crate) fn command() -> Command {
    let exemplars = vec!["4bf92f3577b34da6a3ce929d0e0e4736".to_owned()];
    let evidence =
        Evidence { fact: "queue_delay_ms".into(), subject: "cart".into(), value: 1840.0, limit: 1000.0, exemplars };
    let reason = Reason {
        finding: "f-6b1f".into(),
        signature: Signature::Metastable,
        summary: "cart works for clients that have given up".into(),
        evidence: vec![evidence],
        confidence: 0.93,
        expected: "queue delay of cart below 300 ms".into(),
        expected_by_ms: ISSUED_MS + 15_000,
        undone_by: "queue delay below the limit for 30 s".into(),
    };
    Command {
        id: CommandId("c0ffee00c0ffee00".into()),
        sequence: 3,
        ttl_ms: 10_000,
        target: Target::service("cart"),
        knob: Knob::Admission,
        setting: Some(Setting::Admission { lowest: Criticality::SheddablePlus, fraction_permille: 500 }),
        reason,
        mode: Mode::Act,
    }
}

/// The same command for another target and value, with an id of its own.
pub(crate) fn other(id: &str, target: Target, setting: Setting) -> Command {
    Command { id: CommandId(id.into()), target, knob: setting.knob(), setting: Some(setting), ..command() }
}

pub(crate) fn sign(command: &Command) -> Record {
    engine().command(DOMAIN, 41, command, ISSUED_MS)
}

/// One record of every kind.
pub(crate) fn samples() -> Vec<Sample> {
    let sample = |name, topic, schema, record| Sample { name, topic, schema, record };
    let canary = Target { share_percent: Some(10), zone: Some("eu-1a".into()), ..Target::edge("front", "cart") };
    let purge = other("9u4ge", Target::operation("cart", "GET /cart/{id}"), Setting::Purge { older_than_ms: 800 });
    let budget = other("b4d9e7", canary, Setting::RetryBudget { ratio_permille: 50 });
    let released = Command { sequence: 4, setting: None, ..command() };
    let proposed = Command { mode: Mode::Propose, ..command() };
    let order = |id: &str, kind| {
        let note = "the sale starts at ten".into();
        operator().order(DOMAIN, &Order { id: id.into(), by: "ada".into(), note, at_ms: ISSUED_MS, kind })
    };
    let hold = OrderKind::Hold {
        target: Target::service("cart"),
        setting: Setting::Concurrency { limit: 64 },
        ttl_ms: 300_000,
    };
    let mut chain = AuditChain::new(DOMAIN);
    let mut link = |kind, text: &str| {
        let entry = AuditEntry {
            at_ms: ISSUED_MS,
            kind,
            subject: "cart/admission".into(),
            command: Some(command().id),
            finding: Some(FindingId("f-6b1f".into())),
            by: None,
            text: text.into(),
        };
        chain.append(41, &entry, &engine())
    };
    let command_schema = "command.schema.json";
    vec![
        sample("command", "stopbank.control", command_schema, sign(&command())),
        sample("command-release", "stopbank.control", command_schema, sign(&released)),
        sample("command-purge", "stopbank.control", command_schema, sign(&purge)),
        sample("command-edge-canary", "stopbank.control", command_schema, sign(&budget)),
        sample("proposal", "stopbank.proposals", command_schema, sign(&proposed)),
        sample("finding", "stopbank.findings", "finding.schema.json", finding()),
        sample("report", "stopbank.reports", "report.schema.json", report()),
        sample("order-hold", "stopbank.orders", "order.schema.json", order("o-7", hold)),
        sample("order-disarm", "stopbank.orders", "order.schema.json", order("o-8", OrderKind::Disarm)),
        sample("audit-0", "stopbank.audit", "audit.schema.json", link(AuditKind::Finding, "metastable: opened")),
        sample("audit-1", "stopbank.audit", "audit.schema.json", link(AuditKind::Commanded, "half of batch work")),
        sample("claim", "stopbank.claims", "claim.schema.json", claim()),
        sample("journal", "stopbank.journal", "journal.schema.json", journal()),
        sample("dead-letter", "stopbank.dead-letter", "dead-letter.schema.json", dead_letter()),
    ]
}

fn finding() -> Record {
    let finding = Finding {
        id: FindingId("f-6b1f".into()),
        state: FindingState::Opened,
        signature: Signature::Metastable,
        subject: "cart".into(),
        origin: Some("db".into()),
        affected: vec!["cart".into(), "front".into()],
        summary: "cart works for clients that have given up".into(),
        evidence: command().reason.evidence,
        confidence: 0.93,
        coverage: 0.99,
        late: 0.01,
        behind_ms: 1_300,
        predicts: "front exhausts its workers within 20 s".into(),
        since_ms: ISSUED_MS - 4_000,
        at_ms: ISSUED_MS - 1_000,
    };
    finding_record(DOMAIN, &finding, ISSUED_MS)
}

fn report() -> Record {
    let report = GuardReport {
        service: "cart".into(),
        instance: "cart-1".into(),
        at_ms: ISSUED_MS,
        queued: 12,
        queue_delay_ms: 40,
        in_flight: 30,
        workers: 32,
        admitted: [0, 40, 900, 30],
        shed: [55, 41, 0, 0],
        completed: 960,
        expired: 2,
        retries_refused: 7,
        breakers: vec![BreakerReport { callee: "db".into(), phase: BreakerPhase::Ramp }],
        knobs: vec![Knob::Admission, Knob::QueueBound, Knob::Purge],
        obeyed: vec![Obeyed {
            id: command().id,
            epoch: 41,
            sequence: 3,
            overridden_by: Some("strictest: admission".into()),
        }],
    };
    report_record(DOMAIN, &report)
}

fn claim() -> Record {
    let (domain, owner, version) = (DOMAIN.into(), "host-a/4711".into(), "0.1.0".into());
    claim_record(&Claim { domain, owner, version, at_ms: ISSUED_MS })
}

fn journal() -> Record {
    let header = JournalHeader {
        format: 1,
        domain: DOMAIN.into(),
        epoch: 41,
        index: 1207,
        input: "tick".into(),
        digest: "00ff".into(),
        at_ms: ISSUED_MS,
    };
    journal_record(&header, vec![1, 128, 7])
}

fn dead_letter() -> Record {
    let letter = DeadLetter {
        topic: "otlp_spans".into(),
        partition: 3,
        offset: 99,
        reason: "resource_spans[0]: length 900 beyond the end of the record".into(),
        at_byte: 2,
        at_ms: ISSUED_MS,
        ..DeadLetter::default()
    };
    dead_letter_record(DOMAIN, &letter.of(b"\x0a\x84\x07broken"))
}
