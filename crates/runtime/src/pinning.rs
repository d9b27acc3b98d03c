//! Shards on cores of their own, where that is asked for.

/// Keeps this thread on one of the cores that the process may use: the last one for the first shard, and so on backwards, because
/// the first ones serve most interrupts. Says which core, if the system allows it.
pub(crate) fn pin_shard(at: usize) -> Option<usize> {
    let cores = core_affinity::get_core_ids().filter(|cores| !cores.is_empty())?;
    let core = cores[cores.len() - 1 - at % cores.len()];
    core_affinity::set_for_current(core).then_some(core.id)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Cores that the system lets this thread run on, as Linux tells it.
    fn allowed() -> Option<String> {
        let status = std::fs::read_to_string("/proc/thread-self/status").ok()?;
        status.lines().find_map(|line| Some(line.strip_prefix("Cpus_allowed_list:")?.trim().to_owned()))
    }

    #[test]
    fn a_pinned_shard_runs_on_one_core_and_its_neighbour_on_another() {
        let pinned = |at| std::thread::spawn(move || (pin_shard(at), allowed())).join().expect("no panic");
        let ([first, second], cores) =
            ([pinned(0), pinned(1)], core_affinity::get_core_ids().map_or(0, |ids| ids.len()));
        for (core, allowed) in [&first, &second] {
            let Some(allowed) = allowed else { return };
            assert_eq!(core.map(|core| core.to_string()).as_ref(), Some(allowed));
        }
        assert!(cores < 2 || first.0 != second.0, "{first:?} and {second:?} of {cores}");
    }
}
