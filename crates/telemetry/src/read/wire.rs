//! A cursor over protobuf bytes: bounded numbers, checked lengths, no groups. It borrows and never allocates.

use crate::PoisonReason;

/// Damage in a message: what, and the address of the byte (the reader turns it into an offset).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Damage {
    pub(crate) reason: PoisonReason,
    pub(crate) address: usize,
}

/// The rest of a message.
#[derive(Clone, Copy)]
pub(crate) struct Wire<'a>(pub(crate) &'a [u8]);

/// The wire types that are left once groups are rejected.
pub(crate) const VARINT: u32 = 0;
pub(crate) const FIXED64: u32 = 1;
pub(crate) const LEN: u32 = 2;
pub(crate) const FIXED32: u32 = 5;

impl<'a> Wire<'a> {
    #[inline(always)]
    pub(crate) fn is_empty(self) -> bool {
        self.0.is_empty()
    }

    /// Fetches the next `bytes_max` bytes into the cache: a look at each line, so that all come from memory at the same
    /// time. Gives how many bytes follow them.
    #[inline(never)]
    pub(crate) fn fetch(self, bytes_max: usize) -> usize {
        const LINE_BYTES: usize = 64;
        let (ahead, after) = self.0.split_at(bytes_max.min(self.0.len()));
        std::hint::black_box(ahead.iter().step_by(LINE_BYTES).fold(0, |all, byte| all | byte));
        after.len()
    }

    /// A field's tag: number × 8 + wire type.
    #[inline(always)]
    pub(crate) fn tag(&mut self) -> Result<u32, Damage> {
        match self.0.split_first() {
            Some((&first, rest)) if first < 0x80 => {
                self.0 = rest;
                Ok(u32::from(first))
            }
            _ => self.long_tag(),
        }
    }

    #[cold]
    fn long_tag(&mut self) -> Result<u32, Damage> {
        let at = *self;
        u32::try_from(self.long_varint()?).map_err(|_| at.damage(PoisonReason::Tag))
    }

    #[inline(always)]
    pub(crate) fn varint(&mut self) -> Result<u64, Damage> {
        match *self.0 {
            [first, ref rest @ ..] if first < 0x80 => {
                self.0 = rest;
                Ok(u64::from(first))
            }
            [first, second, ref rest @ ..] if second < 0x80 => {
                self.0 = rest;
                Ok(u64::from(first & 0x7f) | u64::from(second) << 7)
            }
            _ => self.long_varint(),
        }
    }

    fn long_varint(&mut self) -> Result<u64, Damage> {
        let mut value = 0u64;
        for (index, &byte) in self.0.iter().enumerate().take(10) {
            if index == 9 && byte > 1 {
                return Err(self.damage(PoisonReason::Varint));
            }
            value |= u64::from(byte & 0x7f) << (7 * index);
            if byte < 0x80 {
                self.0 = &self.0[index + 1..];
                return Ok(value);
            }
        }
        Err(self.damage(if self.0.len() < 10 { PoisonReason::Truncated } else { PoisonReason::Varint }))
    }

    /// A length and as many bytes.
    #[inline(always)]
    pub(crate) fn bytes(&mut self) -> Result<&'a [u8], Damage> {
        let length = self.varint()?;
        if length > self.0.len() as u64 {
            return Err(self.damage(PoisonReason::Truncated));
        }
        let (taken, rest) = self.0.split_at(length as usize);
        self.0 = rest;
        Ok(taken)
    }

    #[inline(always)]
    pub(crate) fn message(&mut self) -> Result<Wire<'a>, Damage> {
        self.bytes().map(Wire)
    }

    #[inline(always)]
    pub(crate) fn fixed64(&mut self) -> Result<u64, Damage> {
        match self.0.split_first_chunk::<8>() {
            Some((bytes, rest)) => {
                self.0 = rest;
                Ok(u64::from_le_bytes(*bytes))
            }
            None => Err(self.damage(PoisonReason::Truncated)),
        }
    }

    /// Skips a field that is not read. `known` has a bit for each field number below 32 whose right tag the caller
    /// matches: met here, its wire type is wrong.
    #[inline(always)]
    pub(crate) fn skip(&mut self, tag: u32, known: u32) -> Result<(), Damage> {
        let number = tag >> 3;
        if number == 0 || number >= 1 << 29 {
            return Err(self.damage(PoisonReason::Tag));
        }
        if number < 32 && known >> number & 1 == 1 {
            return Err(self.damage(PoisonReason::WireType));
        }
        match tag & 7 {
            VARINT => self.varint().map(|_| ()),
            FIXED64 => self.fixed64().map(|_| ()),
            LEN => self.bytes().map(|_| ()),
            FIXED32 => match self.0.split_first_chunk::<4>() {
                Some((_, rest)) => {
                    self.0 = rest;
                    Ok(())
                }
                None => Err(self.damage(PoisonReason::Truncated)),
            },
            _ => Err(self.damage(PoisonReason::WireType)),
        }
    }

    #[cold]
    pub(crate) fn damage(self, reason: PoisonReason) -> Damage {
        Damage { reason, address: self.0.as_ptr() as usize }
    }
}

/// The bits of the field numbers that a message's reader knows.
pub(crate) const fn fields(numbers: &[u32]) -> u32 {
    let mut bits = 0;
    let mut index = 0;
    while index < numbers.len() {
        bits |= 1 << numbers[index];
        index += 1;
    }
    bits
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_every_length_are_read_and_longer_ones_refused() {
        for (bytes, value) in [
            (&[0x01u8][..], 1u64),
            (&[0xac, 0x02], 300),
            (&[0x80, 0x80, 0x00], 0),
            (&[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01], u64::MAX),
        ] {
            let mut wire = Wire(bytes);
            assert_eq!(wire.varint().ok(), Some(value), "{bytes:?}");
            assert!(wire.is_empty());
        }
        let too_long = [0xffu8; 11];
        assert_eq!(Wire(&too_long).varint().err().map(|damage| damage.reason), Some(PoisonReason::Varint));
        let too_large = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02];
        assert_eq!(Wire(&too_large).varint().err().map(|damage| damage.reason), Some(PoisonReason::Varint));
        assert_eq!(Wire(&[0x80, 0x80]).varint().err().map(|damage| damage.reason), Some(PoisonReason::Truncated));
        assert_eq!(Wire(&[]).varint().err().map(|damage| damage.reason), Some(PoisonReason::Truncated));
    }

    #[test]
    fn groups_field_zero_and_lengths_past_the_end_are_refused() {
        for (tag, rest, reason) in [
            (1 << 3 | 3, &[0u8; 8][..], PoisonReason::WireType),
            (1 << 3 | 4, &[0; 8], PoisonReason::WireType),
            (1 << 3 | 6, &[0; 8], PoisonReason::WireType),
            (2, &[0; 8], PoisonReason::Tag),
            (9 << 3 | 2, &[5, 1, 2], PoisonReason::Truncated),
            (9 << 3 | 1, &[1, 2, 3], PoisonReason::Truncated),
            (9 << 3 | 5, &[1, 2, 3], PoisonReason::Truncated),
            (2 << 3, &[1], PoisonReason::WireType),
        ] {
            assert_eq!(Wire(rest).skip(tag, fields(&[2])).err().map(|damage| damage.reason), Some(reason), "tag {tag}");
        }
    }
}
