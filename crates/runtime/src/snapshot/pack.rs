//! A state on its way to the topic: only chunks that are not there yet, the manifest, and the removal of what no kept
//! manifest names any more.

use super::manifest::{FORMAT, Manifest, chunk_key};
use super::{KEPT, Shelf, cut};
use kafka::Outgoing;
use std::collections::{BTreeSet, VecDeque};

/// A state of the engine, and where in the journal it stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Taken {
    /// The engine's snapshot.
    pub(crate) state: Vec<u8>,
    /// Partition and offset of the last journal record that is in it.
    pub(crate) journal_at: (i32, i64),
    /// The index of the first journal entry that is not in it.
    pub(crate) journal_index: u64,
    /// When it was taken, Unix milliseconds.
    pub(crate) at_ms: u64,
}

/// A snapshot as records.
#[derive(Clone, Debug)]
pub(crate) struct Packed {
    /// Chunks that are not on the topic yet.
    pub(crate) chunks: Vec<Outgoing>,
    /// The manifest and removals: written together, after all chunks.
    pub(crate) closing: Vec<Outgoing>,
    /// Chunks that are there already.
    pub(crate) reused: usize,
    manifest: Manifest,
}

/// Knows what lies on the topic, and packs what is to lie there.
#[derive(Clone, Debug)]
pub(crate) struct Packer {
    domain: String,
    topic: String,
    epoch: u64,
    stored: BTreeSet<String>,
    /// Newest last.
    kept: VecDeque<Manifest>,
}

impl Packer {
    /// For the owner with `epoch`, over what lies on the shelf.
    pub(crate) fn new(domain: &str, topic: &str, epoch: u64, shelf: &Shelf) -> Packer {
        let (manifests, _) = shelf.manifests();
        Packer {
            domain: domain.to_owned(),
            topic: topic.to_owned(),
            epoch,
            stored: shelf.chunks.keys().cloned().collect(),
            kept: manifests.into_iter().rev().collect(),
        }
    }

    /// The records that put this state on the topic.
    pub(crate) fn pack(&self, taken: &Taken) -> Packed {
        let names: Vec<(String, &[u8])> = cut::chunks(&taken.state).map(|chunk| (super::hash(chunk), chunk)).collect();
        let mut new = BTreeSet::new();
        let mut chunks = Vec::new();
        for (name, bytes) in &names {
            if !self.stored.contains(name) && new.insert(name.clone()) {
                chunks.push(Outgoing::new(&self.topic, chunk_key(&self.domain, name), *bytes));
            }
        }
        let manifest = Manifest {
            format: FORMAT,
            epoch: self.epoch,
            number: self.kept.iter().map(|manifest| manifest.number + 1).max().unwrap_or(0),
            program: env!("CARGO_PKG_VERSION").to_owned(),
            at_ms: taken.at_ms,
            journal_at: taken.journal_at,
            journal_index: taken.journal_index,
            bytes: taken.state.len() as u64,
            digest: super::hash(&taken.state),
            chunks: names.into_iter().map(|(name, _)| name).collect(),
        };
        let value = serde_json::to_vec(&manifest).expect("plain data with string keys");
        let key = manifest.key(&self.domain);
        let mut closing = vec![Outgoing::new(&self.topic, key, value).header("content-type", "application/json")];
        closing.extend(self.unneeded(&manifest).map(|name| self.removal(name)));
        let reused = manifest.chunks.len() - chunks.len();
        Packed { chunks, closing, reused, manifest }
    }

    /// These records are on the topic.
    pub(crate) fn written(&mut self, records: &[Outgoing]) {
        let prefix = super::manifest::chunk_prefix(&self.domain);
        for record in records {
            let key = record.key.as_deref().and_then(|key| std::str::from_utf8(key).ok()).unwrap_or_default();
            let Some(name) = key.strip_prefix(&prefix) else { continue };
            match record.value {
                Some(_) => self.stored.insert(name.to_owned()),
                None => self.stored.remove(name),
            };
        }
    }

    /// The whole snapshot is on the topic.
    pub(crate) fn finished(&mut self, packed: Packed) {
        self.kept.push_back(packed.manifest);
        while self.kept.len() > KEPT {
            self.kept.pop_front();
        }
    }

    /// Chunks that neither the new manifest nor one that stays beside it names.
    fn unneeded<'a>(&'a self, new: &'a Manifest) -> impl Iterator<Item = &'a String> {
        let stay = self.kept.iter().rev().take(KEPT - 1).chain([new]);
        let needed: BTreeSet<&String> = stay.flat_map(|manifest| &manifest.chunks).collect();
        self.stored.iter().filter(move |name| !needed.contains(name))
    }

    fn removal(&self, name: &str) -> Outgoing {
        let key = Some(chunk_key(&self.domain, name).into_bytes());
        Outgoing { topic: self.topic.clone(), key, value: None, headers: Vec::new() }
    }
}
