//! What the faults' test is made of: a proxy that can be cut, engines that can be killed, a load that is counted, and an
//! oracle that accounts for every span and every command.

pub mod dice;
pub mod engines;
pub mod load;
pub mod oracle;
pub mod proxy;
