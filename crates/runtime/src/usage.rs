//! What the process has used, as the operating system counts it (Linux: `/proc/self`). Elsewhere it reads as zero.

use std::fs;

/// CPU time and memory of the whole process.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Usage {
    /// User and system time of all threads, seconds.
    pub cpu_s: f64,
    /// The most memory that was resident, MiB.
    pub max_rss_mib: f64,
    /// What is resident now, MiB.
    pub rss_mib: f64,
}

impl Usage {
    /// Up to now.
    pub fn now() -> Usage {
        let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        let mib = |key| kib(&status, key).unwrap_or(0) as f64 / 1024.0;
        Usage { cpu_s: cpu_s(&stat).unwrap_or(0.0), max_rss_mib: mib("VmHWM:"), rss_mib: mib("VmRSS:") }
    }
}

/// Fields 14 and 15 of `stat`, in ticks of 1/100 s (the kernel's fixed unit for this file, whatever its own is). The
/// program's name may hold blanks and brackets, so fields are counted from the last bracket on.
fn cpu_s(stat: &str) -> Option<f64> {
    let mut fields = stat.rsplit_once(')')?.1.split_ascii_whitespace().skip(11);
    let (user, system): (u64, u64) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
    Some((user + system) as f64 / 100.0)
}

fn kib(status: &str, key: &str) -> Option<u64> {
    let line = status.lines().find(|line| line.starts_with(key))?;
    line.split_ascii_whitespace().nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn odd_program_names_do_not_shift_the_fields() {
        let stat = "7 (a) b (c) S 1 2 3 4 5 6 7 8 9 10 250 50 0 0 20 0 1";
        assert_eq!(cpu_s(stat), Some(3.0));
        assert_eq!(cpu_s("garbage"), None);
    }

    #[test]
    fn status_is_read_in_kibibytes() {
        assert_eq!(kib("Name:\tx\nVmHWM:\t   2048 kB\n", "VmHWM:"), Some(2048));
    }
}
