//! The kinds of record, each with a CloudEvents type and a signing prefix of its own.

/// What a record is. A signature made for one kind never verifies for another: the prefix is part of what is signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// A lease to obey, on the control topic.
    Command,
    /// What would be commanded, or waits for approval, on the proposals topic.
    Proposal,
    /// A finding.
    Finding,
    /// What a guard says of its service.
    Report,
    /// What a person orders.
    Order,
    /// A link of the audit trail.
    Audit,
    /// Who owns the domain.
    Claim,
    /// An input of the engine.
    Journal,
    /// A poison record with its reason.
    DeadLetter,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Kind; 9] = [
        Kind::Command,
        Kind::Proposal,
        Kind::Finding,
        Kind::Report,
        Kind::Order,
        Kind::Audit,
        Kind::Claim,
        Kind::Journal,
        Kind::DeadLetter,
    ];

    /// The kind's name in file names, types and prefixes.
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::Command => "command",
            Kind::Proposal => "proposal",
            Kind::Finding => "finding",
            Kind::Report => "report",
            Kind::Order => "order",
            Kind::Audit => "audit",
            Kind::Claim => "claim",
            Kind::Journal => "journal",
            Kind::DeadLetter => "dead-letter",
        }
    }

    /// The CloudEvents type, `io.stopbank.<kind>.v1`.
    pub fn event_type(self) -> String {
        format!("io.stopbank.{}.v1", self.as_str())
    }

    /// What the signed bytes begin with, `stopbank-<kind>-v1` and a line feed.
    pub fn prefix(self) -> String {
        format!("stopbank-{}-v1\n", self.as_str())
    }

    /// The kind with this CloudEvents type.
    pub fn of_event_type(text: &str) -> Option<Kind> {
        Kind::ALL.into_iter().find(|kind| kind.event_type() == text)
    }
}
