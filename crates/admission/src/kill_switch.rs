//! Degradation levels: features go off one after another as the level rises, and come back in the opposite order.

/// The level that is in force, of what is commanded and what the owner set by hand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KillSwitch {
    commanded: u8,
    by_hand: u8,
}

impl KillSwitch {
    /// The level that is commanded; 0 for none.
    pub fn command(&mut self, level: u8) {
        self.commanded = level;
    }

    /// The level that the owner sets on this instance; 0 for none.
    pub fn set_by_hand(&mut self, level: u8) {
        self.by_hand = level;
    }

    /// The level in force: the higher of the two. 0 is everything on.
    pub fn level(self) -> u8 {
        self.commanded.max(self.by_hand)
    }

    /// Is a feature on that goes off from level `off_from`? A feature with `off_from` 0 is never switched off.
    pub fn allows(self, off_from: u8) -> bool {
        off_from == 0 || self.level() < off_from
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn features_go_off_in_the_order_of_their_levels() {
        let mut switch = KillSwitch::default();
        let on = |switch: KillSwitch| [0, 1, 2, 3].map(|off_from| switch.allows(off_from));
        assert_eq!(on(switch), [true; 4]);
        switch.command(2);
        assert_eq!(on(switch), [true, false, false, true]);
        switch.set_by_hand(3);
        assert_eq!(on(switch), [true, false, false, false]);
        switch.command(0);
        assert_eq!(on(switch), [true, false, false, false], "a command does not undo what was set by hand");
    }
}
