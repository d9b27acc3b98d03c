//! What windows say of small traces, and what must hold for any.

mod disorder;
mod fixture;
mod flows;
mod late;
mod memory;
mod messaging;
mod pairing;
mod peers;
mod properties;
mod proxies;
mod retries;
mod sampled;
mod slices;
mod steps;
mod timing;
