//! Names and operations that the reader remembers: each is announced once, each service has a bounded number of
//! operations.

use super::recent::Recent;
use crate::reduce::template;
use crate::{Oddities, Oddity, ReaderConfig};
use model::{NameId, Named, stable_hash};

/// The operation of a service's tail.
const OTHER: &str = "other";
/// Services whose operations are remembered at the same time.
const SERVICES_MAX: usize = 8192;
/// While a service has room for more operations than this share of its cap, each new one is let in at once; in the last
/// quarter only those that come a second time, so that names that are all different do not use up the room.
const DOOR_SHARE: (usize, usize) = (3, 4);
const DOOR_PLACES: usize = 64;
/// Past the cap a newcomer takes the place of the lightest operation once it came so often, and twice as often as that one.
const HEAVY: u32 = 16;
/// One in so many uses of a known operation is counted, as so many. Odd, so that operations that take turns all are.
const COUNTED: u32 = 61;
/// After so many newcomers past the cap everything counts half.
const HALVED_AFTER: u32 = 4096;

/// How a text becomes an operation's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// It is of low cardinality already (a route, a method).
    Ready,
    /// It may hold ids and literals.
    Raw,
}

pub(crate) struct Names {
    announced: Recent<()>,
    operations: Recent<NameId>,
    services: Recent<Admitted>,
    pending: Vec<Named>,
    uses: u32,
    templated: String,
    name_bytes_max: usize,
    operations_max: usize,
    names_max: usize,
}

/// May an operation have a name of its own?
#[derive(Clone, Copy, PartialEq, Eq)]
enum Door {
    Open,
    /// Not this time.
    Ajar,
    /// No more, unless it turns out to be a heavy one.
    Shut,
}

/// The operations of one service and those at its door, each with how often it came of late.
#[derive(Default)]
struct Admitted {
    /// Sorted.
    ids: Vec<(u64, u32)>,
    door: Vec<(u64, u32)>,
    turned_away: u32,
}

impl Names {
    pub(crate) fn new(config: &ReaderConfig) -> Names {
        Names {
            announced: Recent::new(config.names_max),
            operations: Recent::new(config.names_max),
            services: Recent::new(SERVICES_MAX),
            pending: Vec::new(),
            uses: 0,
            templated: String::new(),
            name_bytes_max: config.name_bytes_max.max(8),
            operations_max: config.operations_per_service_max.max(1),
            names_max: config.names_max,
        }
    }

    /// The id of a text, announced if it is new.
    #[inline]
    pub(crate) fn intern(&mut self, text: &[u8], oddities: &mut Oddities) -> NameId {
        if text.is_empty() {
            return NameId::NONE;
        }
        if text.len() <= self.name_bytes_max {
            let hash = stable_hash(text);
            // Only UTF-8 within the bound was ever announced, so a known hash needs no second look at the text.
            if self.announced.copied(hash).is_some() {
                return NameId(hash);
            }
        }
        self.announce(text, oddities)
    }

    #[cold]
    fn announce(&mut self, text: &[u8], oddities: &mut Oddities) -> NameId {
        let text = String::from_utf8_lossy(cut_bytes(text, self.name_bytes_max.saturating_mul(4)));
        if text.contains('\u{fffd}') {
            oddities.count(Oddity::NameText);
        }
        let cut = cut(&text, self.name_bytes_max);
        if cut.len() < text.len() {
            oddities.count(Oddity::NameCut);
        }
        let named = Named::of(cut);
        let id = named.id;
        if self.announced.get(id.0).is_none() {
            self.announced.insert(id.0, ());
            self.pending.push(named);
        }
        id
    }

    /// The operation that `text` is for `service`, or `other` past the cap.
    #[inline]
    pub(crate) fn operation(&mut self, service: NameId, text: &[u8], shape: Shape, oddities: &mut Oddities) -> NameId {
        let spread = service.0.rotate_left(23) ^ shape as u64;
        let known = stable_hash(text) ^ spread.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        if let Some(id) = self.operations.copied(known) {
            self.uses = self.uses.wrapping_add(1);
            if self.uses.is_multiple_of(COUNTED) {
                self.count(service, id);
            }
            return id;
        }
        self.new_operation(service, text, shape, known, oddities)
    }

    /// An operation's id is the hash that it was admitted by.
    #[cold]
    fn count(&mut self, service: NameId, id: NameId) {
        if let Some(all) = self.services.get(service.0)
            && let Ok(place) = all.ids.binary_search_by_key(&id.0, |known| known.0)
        {
            all.ids[place].1 = all.ids[place].1.saturating_add(COUNTED);
        }
    }

    #[cold]
    fn new_operation(
        &mut self,
        service: NameId,
        text: &[u8],
        shape: Shape,
        known: u64,
        oddities: &mut Oddities,
    ) -> NameId {
        let mut buffer = std::mem::take(&mut self.templated);
        let text = String::from_utf8_lossy(cut_bytes(text, self.name_bytes_max.saturating_mul(4)));
        let shown = match shape {
            Shape::Ready => &text[..],
            Shape::Raw => {
                template(&text, &mut buffer);
                &buffer[..]
            }
        };
        let entry = stable_hash(cut(shown, self.name_bytes_max).as_bytes());
        if self.services.get(service.0).is_none() {
            self.services.insert(service.0, Admitted::default());
        }
        let place = self.services.get(service.0).map_or(Door::Shut, |all| all.admit(entry, self.operations_max));
        let id = match place {
            Door::Open => self.intern(shown.as_bytes(), oddities),
            Door::Ajar | Door::Shut => self.intern(OTHER.as_bytes(), oddities),
        };
        // What is turned away is weighed again the next time.
        if place == Door::Open {
            self.operations.insert(known, id);
        }
        self.templated = buffer;
        id
    }

    /// Moves the names that were met since the last call to `out`.
    #[inline]
    pub(crate) fn hand_over(&mut self, out: &mut Vec<Named>) {
        out.append(&mut self.pending);
    }

    /// A record was poison: its names wait for the next good one. If too many wait, all is forgotten (and announced
    /// again when it is met again).
    pub(crate) fn hold_back(&mut self) {
        if self.pending.len() > self.names_max {
            self.pending = Vec::new();
            self.announced.clear();
            self.operations.clear();
        }
    }
}

impl Admitted {
    fn admit(&mut self, operation: u64, max: usize) -> Door {
        let place = match self.ids.binary_search_by_key(&operation, |known| known.0) {
            Ok(place) => {
                self.ids[place].1 = self.ids[place].1.saturating_add(1);
                return Door::Open;
            }
            Err(place) => place,
        };
        if self.ids.len() >= max {
            return self.displace(operation);
        }
        if self.ids.len() >= (max * DOOR_SHARE.0 / DOOR_SHARE.1).max(1) && self.came(operation) < 2 {
            return Door::Ajar;
        }
        self.ids.insert(place, (operation, 1));
        Door::Open
    }

    /// How often it came, as far as the door remembers: what comes more often than all others at its place is remembered.
    fn came(&mut self, operation: u64) -> u32 {
        if self.door.is_empty() {
            self.door.resize(DOOR_PLACES, (0, 0));
        }
        let place = &mut self.door[(operation >> 32) as usize % DOOR_PLACES];
        if place.0 == operation {
            place.1 = place.1.saturating_add(1);
        } else if place.1 > 1 {
            place.1 -= 1;
            return 0;
        } else {
            *place = (operation, 1);
        }
        place.1
    }

    /// The lightest makes room for a newcomer that is heavier; heavy ones never do for light ones.
    fn displace(&mut self, operation: u64) -> Door {
        self.turned_away += 1;
        if self.turned_away >= HALVED_AFTER {
            self.turned_away = 0;
            self.ids.iter_mut().chain(&mut self.door).for_each(|known| known.1 /= 2);
        }
        let came = self.came(operation);
        let lightest = self.ids.iter().enumerate().min_by_key(|(_, known)| known.1);
        match lightest.map(|(at, known)| (at, known.1)).filter(|(_, uses)| came >= HEAVY && came / 2 > *uses) {
            Some((at, _)) => {
                self.ids.remove(at);
                let place = self.ids.partition_point(|known| known.0 < operation);
                self.ids.insert(place, (operation, came));
                Door::Open
            }
            None => Door::Shut,
        }
    }
}

/// The longest prefix of at most `max` bytes that ends at a character.
fn cut(text: &str, max: usize) -> &str {
    let mut end = max.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

fn cut_bytes(text: &[u8], max: usize) -> &[u8] {
    if text.len() <= max {
        return text;
    }
    let mut end = max;
    // A continuation byte is never the first of a character.
    while end > 0 && text[end] & 0xc0 == 0x80 {
        end -= 1;
    }
    &text[..end]
}
