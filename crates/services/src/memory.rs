//! Is there room in memory for data that nobody needs tomorrow?
//!
//! A data directory has more than a thousand small files. Making and removing these again and again is what a disk's
//! file system is slowest at (ext4 passes over numbers of files that were freed lately), and memory fastest.

use std::fs;
use std::path::Path;

/// How much must be left for all else, in bytes.
const SPARE: u64 = 1 << 30;

/// How many times as large as in the beginning data may become.
const GROWTH: u64 = 4;

/// The folder of files in memory that Linux has.
pub(crate) const FOLDER: &str = "/dev/shm";

/// May data of a size be put into the folder of files in memory?
pub(crate) fn has_room(n_bytes: u64) -> bool {
    is_memory(Path::new(FOLDER))
        && left().is_some_and(|left| left >= n_bytes.saturating_mul(GROWTH).saturating_add(SPARE))
}

/// What the folder, the machine and the group of processes that we are in all have left.
fn left() -> Option<u64> {
    let folder = rustix::fs::statvfs(FOLDER).ok()?;
    let folder = folder.f_bavail.saturating_mul(folder.f_frsize);
    let machine = available(&fs::read_to_string("/proc/meminfo").ok()?)?;
    Some(folder.min(machine).min(group().unwrap_or(u64::MAX)))
}

#[cfg(target_os = "linux")]
fn is_memory(folder: &Path) -> bool {
    /// How Linux numbers the file system `tmpfs`.
    const TMPFS: rustix::fs::FsWord = 0x0102_1994;
    rustix::fs::statfs(folder).is_ok_and(|found| found.f_type == TMPFS)
}

#[cfg(not(target_os = "linux"))]
fn is_memory(_folder: &Path) -> bool {
    false
}

/// `MemAvailable:   1234 kB`, in bytes.
fn available(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let kibibytes: u64 = line.trim().strip_suffix(" kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024)
}

/// What a container may still take.
fn group() -> Option<u64> {
    let number =
        |file: &str| fs::read_to_string(Path::new("/sys/fs/cgroup").join(file)).ok()?.trim().parse().ok();
    let limit: u64 = number("memory.max")?;
    Some(limit.saturating_sub(number("memory.current")?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_is_read() {
        assert_eq!(available("MemTotal: 9 kB\nMemAvailable:    2048 kB\n"), Some(2 << 20));
        assert_eq!(available("MemTotal: 9 kB\n"), None);
        assert!(!has_room(u64::MAX));
    }
}
