//! Content-defined chunks: a boundary stands where a rolling hash of the last 64 bytes says so, so bytes put in or taken
//! out change the chunks around them and no others (the gear hash of FastCDC, Xia et al., USENIX ATC 2016).

/// No chunk but the last is shorter, bytes.
const MIN: usize = 16 << 10;
/// No chunk is longer, bytes: far below what brokers take as one record.
const MAX: usize = 256 << 10;
/// One place in 2^15 is a boundary: chunks of about 48 KiB.
const MASK: u64 = 0x7fff << 48;

/// A number for each byte, with every bit as likely as not (the finaliser of splitmix64).
const GEAR: [u64; 256] = {
    let mut gear = [0; 256];
    let mut at = 0;
    while at < 256 {
        let mut number = (at as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        gear[at] = number ^ (number >> 31);
        at += 1;
    }
    gear
};

/// The chunks of `bytes`, in order.
pub(super) fn chunks(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        let (chunk, after) = rest.split_at(boundary(rest));
        rest = after;
        (!chunk.is_empty()).then_some(chunk)
    })
}

fn boundary(bytes: &[u8]) -> usize {
    let end = bytes.len().min(MAX);
    let mut hash: u64 = 0;
    for (at, byte) in bytes[..end].iter().enumerate() {
        hash = (hash << 1).wrapping_add(GEAR[usize::from(*byte)]);
        if at + 1 >= MIN && hash & MASK == 0 {
            return at + 1;
        }
    }
    end
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn noise(len: usize) -> Vec<u8> {
        let mut state = 1u64;
        let next = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 56) as u8
        };
        std::iter::repeat_with(next).take(len).collect()
    }

    #[test]
    fn chunks_make_up_the_whole_within_their_bounds() {
        for len in [0, 1, MIN, MIN + 1, 3 << 20] {
            let bytes = noise(len);
            let all: Vec<&[u8]> = chunks(&bytes).collect();
            assert_eq!(all.concat(), bytes);
            assert!(all.iter().all(|chunk| chunk.len() <= MAX));
            assert!(all.iter().rev().skip(1).all(|chunk| chunk.len() >= MIN));
        }
        let zeros = vec![0; 1 << 20];
        assert_eq!(chunks(&zeros).map(<[u8]>::len).max(), Some(MAX), "a state without content still has an end");
    }

    #[test]
    fn bytes_put_in_change_only_the_chunks_around_them() {
        let before = noise(4 << 20);
        let mut after = before.clone();
        after.splice(1_000_000..1_000_000, *b"something new");
        let known: BTreeSet<&[u8]> = chunks(&before).collect();
        let new = chunks(&after).filter(|chunk| !known.contains(chunk)).count();
        assert!(new <= 2, "{new} of {} chunks are new", known.len());
    }
}
