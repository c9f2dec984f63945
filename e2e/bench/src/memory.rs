//! What a process holds in memory.

use std::{fs, io, path::PathBuf};

/// The resident memory of a process in KiB: `VmRSS` of `/proc/PID/status`.
///
/// # Errors
/// Where there is no such process, or no `/proc`.
pub(crate) fn resident(process: u32) -> io::Result<u64> {
    let status = fs::read_to_string(PathBuf::from(format!("/proc/{process}/status")))?;
    parse(&status).ok_or_else(|| io::Error::other("/proc/PID/status has no line VmRSS"))
}

fn parse(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix("kB")?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resident_memory_is_read_from_its_own_line() {
        assert_eq!(parse("Name:\tx\nVmHWM:\t   99 kB\nVmRSS:\t   16268 kB\n"), Some(16_268));
        assert_eq!(parse("Name:\tx\n"), None);
        assert!(resident(std::process::id()).unwrap() > 100);
    }
}
