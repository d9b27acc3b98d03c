//! Turns a step into records: signs commands and the audit trail, numbers the journal. Knows the epoch and the key; does no
//! IO.

use crate::capacity::JOURNAL_RECORD_BYTES;
use crate::draft::{Draft, Entry};
use control::{AuditChain, JournalHeader, Signer, finding_record, journal_record};
use engine::Effect;
use kafka::{Outgoing, Poisoned, Step, Topics, dead_letter};
use model::Mode;

/// The version of the journal's binary form.
pub(crate) const JOURNAL_FORMAT: u32 = 2;
/// Which piece of a long input this record is, and of how many (`2/3`).
pub(crate) const PIECE_HEADER: &str = "stopbank_piece";

/// Writes for one epoch.
#[derive(Clone, Debug)]
pub(crate) struct Scribe {
    pub(crate) domain: String,
    pub(crate) epoch: u64,
    pub(crate) topics: Topics,
    pub(crate) signer: Signer,
    pub(crate) chain: AuditChain,
    /// The number of the next journal entry.
    pub(crate) next_index: u64,
    /// Where a late link of the audit chain lies.
    pub(crate) audit_at: Option<(i32, i64)>,
}

impl Scribe {
    /// The step's records, in order: commands first, so that they are the first to be sent.
    pub(crate) fn write(&mut self, draft: &Draft, now_ms: u64) -> Step {
        let mut records: Vec<Outgoing> = draft.effects.iter().map(|effect| self.effect(effect, now_ms)).collect();
        for entry in &draft.entries {
            self.journal(entry, now_ms, &mut records);
        }
        for (entry, reason) in &draft.aside {
            let poisoned = Poisoned {
                domain: &self.domain,
                topic: &self.topics.journal,
                partition: -1,
                offset: -1,
                reason,
                at_byte: 0,
                payload: &entry.input,
            };
            records.push(dead_letter(&self.topics.dead_letter, &poisoned));
        }
        if let Some(memo) = &draft.memo {
            let memo = crate::memo::Memo { audit_at: self.audit_at, ..memo.clone() };
            records.push(memo.record(&self.topics.snapshots, &self.domain));
        }
        Step { records, positions: draft.positions.clone() }
    }

    fn effect(&mut self, effect: &Effect, now_ms: u64) -> Outgoing {
        match effect {
            Effect::Command(command) => {
                let topic = if command.mode == Mode::Act { &self.topics.control } else { &self.topics.proposals };
                Outgoing::of(topic, self.signer.command(&self.domain, self.epoch, command, now_ms))
            }
            Effect::Finding(finding) => {
                Outgoing::of(&self.topics.findings, finding_record(&self.domain, finding, now_ms))
            }
            Effect::Audit(entry) => {
                Outgoing::of(&self.topics.audit, self.chain.append(self.epoch, entry, &self.signer))
            }
        }
    }

    fn journal(&mut self, entry: &Entry, now_ms: u64, records: &mut Vec<Outgoing>) {
        let header = JournalHeader {
            format: JOURNAL_FORMAT,
            domain: self.domain.clone(),
            epoch: self.epoch,
            index: self.next_index,
            input: entry.kind.to_owned(),
            digest: entry.digest.map(hex).unwrap_or_default(),
            at_ms: now_ms,
        };
        self.next_index += 1;
        let pieces: Vec<&[u8]> = entry.input.chunks(JOURNAL_RECORD_BYTES).collect();
        for (at, piece) in (1..).zip(&pieces) {
            let record = Outgoing::of(&self.topics.journal, journal_record(&header, piece.to_vec()));
            let several = pieces.len() > 1;
            let marked = if several { record.header(PIECE_HEADER, format!("{at}/{}", pieces.len())) } else { record };
            records.push(marked);
        }
    }
}

/// Bytes as text.
pub(crate) fn hex(bytes: [u8; 32]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use control::Record;
    use model::{AuditEntry, Command, CommandId, Knob, Reason, Target};

    fn scribe() -> Scribe {
        Scribe {
            domain: "shop".to_owned(),
            epoch: 7,
            topics: Topics::default(),
            signer: Signer::from_seed([1; 32]),
            chain: AuditChain::new("shop"),
            next_index: 0,
            audit_at: None,
        }
    }

    fn command(mode: Mode) -> Effect {
        Effect::Command(Command {
            id: CommandId("c".into()),
            sequence: 1,
            ttl_ms: 1000,
            target: Target::service("cart"),
            knob: Knob::Purge,
            setting: None,
            reason: Reason::default(),
            mode,
        })
    }

    #[test]
    fn only_what_is_to_be_obeyed_goes_to_the_control_topic() {
        let modes = [Mode::Act, Mode::Propose, Mode::Observe];
        let draft = Draft { effects: modes.map(command).to_vec(), ..Draft::default() };
        let topics: Vec<String> = scribe().write(&draft, 1).records.into_iter().map(|record| record.topic).collect();
        assert_eq!(topics, ["stopbank.control", "stopbank.proposals", "stopbank.proposals"]);
    }

    #[test]
    fn long_inputs_are_cut_and_numbered() {
        let input = vec![7; JOURNAL_RECORD_BYTES * 2 + 1];
        let draft = Draft { entries: vec![Entry { kind: "window", input, digest: None }], ..Draft::default() };
        let records = scribe().write(&draft, 1).records;
        let piece = |record: &Outgoing| {
            let header = record.headers.iter().find(|(name, _)| name == PIECE_HEADER);
            header.map(|(_, value)| String::from_utf8_lossy(value).into_owned())
        };
        let pieces: Vec<Option<String>> = records.iter().map(piece).collect();
        assert_eq!(pieces, [Some("1/3".into()), Some("2/3".into()), Some("3/3".into())]);
        assert!(records.iter().all(|record| record.value.as_ref().is_some_and(|v| v.len() <= JOURNAL_RECORD_BYTES)));
    }

    #[test]
    fn the_audit_trail_is_one_chain_over_many_steps() {
        let mut scribe = scribe();
        let entry = |text: &str| Effect::Audit(AuditEntry { text: text.into(), ..AuditEntry::default() });
        let mut links = Vec::new();
        for text in ["a", "b", "c"] {
            let draft = Draft { effects: vec![entry(text)], ..Draft::default() };
            links.extend(scribe.write(&draft, 1).records);
        }
        let back = |record: Outgoing| {
            kafka::TailRecord {
                key: record.key,
                value: record.value,
                headers: record.headers,
                ..kafka::TailRecord::default()
            }
            .into_record()
        };
        let links: Vec<Record> = links.into_iter().map(back).collect();
        let mut ring = control::Keyring::new();
        let key = control::Key::new(scribe.signer.public(), control::Role::Engine);
        ring.add(key).expect("a good key");
        assert!(control::verify_chain(&links, &ring).is_ok());
        assert!(control::verify_chain(&links[..1], &ring).is_ok());
        assert!(control::verify_chain([&links[0], &links[2]], &ring).is_err());
    }
}
