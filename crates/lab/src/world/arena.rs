//! Slots that are used again. A key of an earlier use finds nothing, so whoever comes too late is simply not heard.

/// A place and which use of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Key {
    index: u32,
    generation: u32,
}

impl Key {
    /// The key of nothing.
    pub(super) const NONE: Key = Key { index: u32::MAX, generation: 0 };
}

/// A growing store of `T`.
pub(super) struct Arena<T> {
    slots: Vec<Slot<T>>,
    free: Vec<u32>,
}

struct Slot<T> {
    generation: u32,
    value: Option<T>,
}

impl<T> Arena<T> {
    pub(super) fn new() -> Arena<T> {
        Arena { slots: Vec::new(), free: Vec::new() }
    }

    pub(super) fn insert(&mut self, value: T) -> Key {
        if let Some(index) = self.free.pop() {
            let slot = &mut self.slots[index as usize];
            slot.value = Some(value);
            return Key { index, generation: slot.generation };
        }
        let index = u32::try_from(self.slots.len()).expect("fewer than 2^32 requests are alive at once");
        self.slots.push(Slot { generation: 0, value: Some(value) });
        Key { index, generation: 0 }
    }

    pub(super) fn get(&self, key: Key) -> Option<&T> {
        let slot = self.slots.get(key.index as usize)?;
        if slot.generation == key.generation { slot.value.as_ref() } else { None }
    }

    pub(super) fn get_mut(&mut self, key: Key) -> Option<&mut T> {
        let slot = self.slots.get_mut(key.index as usize)?;
        if slot.generation == key.generation { slot.value.as_mut() } else { None }
    }

    pub(super) fn remove(&mut self, key: Key) -> Option<T> {
        let slot = self.slots.get_mut(key.index as usize)?;
        if slot.generation != key.generation {
            return None;
        }
        let value = slot.value.take()?;
        slot.generation = slot.generation.wrapping_add(1);
        self.free.push(key.index);
        Some(value)
    }

    /// The keys of the values that are `wanted`, in the order of their places.
    pub(super) fn keys(&self, wanted: impl Fn(&T) -> bool) -> Vec<Key> {
        let used = self.slots.iter().zip(0u32..);
        used.filter(|(slot, _)| slot.value.as_ref().is_some_and(&wanted))
            .map(|(slot, index)| Key { index, generation: slot.generation })
            .collect()
    }

    /// The value stays, its key changes: the old key finds nothing any more.
    pub(super) fn renew(&mut self, key: Key) -> Key {
        match self.slots.get_mut(key.index as usize) {
            Some(slot) if slot.generation == key.generation => {
                slot.generation = slot.generation.wrapping_add(1);
                Key { generation: slot.generation, ..key }
            }
            _ => Key::NONE,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_keys_find_nothing() {
        let mut arena = Arena::new();
        let first = arena.insert('a');
        assert_eq!(arena.remove(first), Some('a'));
        let second = arena.insert('b');
        assert_eq!((arena.get(first), arena.get(second)), (None, Some(&'b')));
        let renewed = arena.renew(second);
        assert_eq!((arena.get(second), arena.get(renewed)), (None, Some(&'b')));
        assert_eq!(arena.get(Key::NONE), None);
    }
}
