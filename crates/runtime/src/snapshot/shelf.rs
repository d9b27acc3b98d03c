//! What lies on the snapshots topic: chunks by their names, and the last manifests.

use super::manifest::{Manifest, SnapshotFlaw, chunk_prefix};
use crate::memo::Memo;
use engine::Engine;
use kafka::TailRecord;
use std::collections::BTreeMap;

/// The state of the topic for one domain.
#[derive(Debug)]
pub(crate) struct Shelf {
    domain: String,
    pub(super) chunks: BTreeMap<String, Vec<u8>>,
    manifests: BTreeMap<String, Vec<u8>>,
    memo: Option<Memo>,
}

impl Shelf {
    pub(crate) fn new(domain: &str) -> Shelf {
        Shelf { domain: domain.to_owned(), chunks: BTreeMap::new(), manifests: BTreeMap::new(), memo: None }
    }

    /// Takes the next record of the topic: a later one replaces an older one of its key, one without a value removes it.
    pub(crate) fn put(&mut self, record: TailRecord) {
        let Some(key) = record.key.and_then(|key| String::from_utf8(key).ok()) else { return };
        if let Some(hash) = key.strip_prefix(&chunk_prefix(&self.domain)) {
            replace(&mut self.chunks, hash.to_owned(), record.value);
        } else if key.starts_with(&Manifest::prefix(&self.domain)) {
            replace(&mut self.manifests, key, record.value);
        } else if key == Memo::key(&self.domain) {
            self.memo = record.value.and_then(|value| Memo::read(&value));
        }
    }

    /// What the last owner left for the next.
    pub(crate) fn memo(&self) -> Option<&Memo> {
        self.memo.as_ref()
    }

    /// The manifests, newest first, and the ones that cannot be read.
    pub(super) fn manifests(&self) -> (Vec<Manifest>, Vec<SnapshotFlaw>) {
        let (mut good, mut flaws) = (Vec::new(), Vec::new());
        for (key, value) in &self.manifests {
            match Manifest::read(key, value) {
                Ok(manifest) => good.push(manifest),
                Err(flaw) => flaws.push(flaw),
            }
        }
        good.sort_by_key(|manifest| std::cmp::Reverse((manifest.epoch, manifest.number)));
        (good, flaws)
    }

    /// The newest snapshot that can be used, and what is wrong with others.
    pub(crate) fn newest(&self) -> (Option<(Manifest, Engine)>, Vec<SnapshotFlaw>) {
        let (manifests, mut flaws) = self.manifests();
        for manifest in manifests {
            match self.engine(&manifest) {
                Ok(engine) => return (Some((manifest, engine)), flaws),
                Err(flaw) => flaws.push(flaw),
            }
        }
        (None, flaws)
    }

    fn engine(&self, manifest: &Manifest) -> Result<Engine, SnapshotFlaw> {
        let Manifest { epoch, number, .. } = *manifest;
        let damaged = |what: &str| SnapshotFlaw::Damaged { epoch, number, what: what.to_owned() };
        let mut whole = Vec::new();
        for name in &manifest.chunks {
            let torn = || SnapshotFlaw::Torn { epoch, number, chunk: name.clone() };
            let chunk = self.chunks.get(name).ok_or_else(torn)?;
            if super::hash(chunk) != *name {
                return Err(damaged(&format!("chunk {name}")));
            }
            whole.extend_from_slice(chunk);
        }
        if super::hash(&whole) != manifest.digest {
            return Err(damaged("the whole"));
        }
        Engine::restore(&whole).map_err(|why| SnapshotFlaw::Engine { epoch, number, why })
    }
}

fn replace(map: &mut BTreeMap<String, Vec<u8>>, key: String, value: Option<Vec<u8>>) {
    match value {
        Some(value) => map.insert(key, value),
        None => map.remove(&key),
    };
}
