//! System calls without a safe interface: the only unsafe code of this crate.
#![cfg_attr(unix, expect(unsafe_code, reason = "three calls of the C library"))]

/// Makes the allocator return freed buffers of 128 KiB and more to the system at once. Call it once, before a server
/// begins.
///
/// By default the GNU allocator raises its mmap threshold each time such a buffer is freed, up to 32 MiB. Then messages
/// come from one heap, and holes in it are never returned: after some thousand connections with long messages the
/// process keeps gigabytes. With other allocators this does nothing.
pub fn return_free_memory() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        const PIECE: libc::c_int = 128 * 1024;
        // SAFETY: this sets a number in the allocator, under its lock, and touches no memory. A failure does no harm,
        // because everything works without it.
        unsafe { libc::mallopt(libc::M_MMAP_THRESHOLD, PIECE) };
    }
}

/// Returns the bytes written to a socket that its peer has not acknowledged: `SIOCOUTQ` (tcp(7)).
#[cfg(target_os = "linux")]
pub(crate) fn unacknowledged(socket: &impl std::os::fd::AsRawFd) -> Option<usize> {
    let mut count: libc::c_int = 0;
    // SAFETY: the descriptor is open while `socket` lives, and the call writes to one valid `int`.
    let result = unsafe { libc::ioctl(socket.as_raw_fd(), libc::TIOCOUTQ, &raw mut count) };
    if result == 0 { usize::try_from(count).ok() } else { None }
}

/// Returns local time minus UTC in seconds, at `seconds` since 1970. It is that of C's `localtime`, for any `TZ`, and
/// includes leap seconds of a zone in `right/`. Returns `None` if the system cannot convert the time.
#[cfg(unix)]
pub(crate) fn local_offset(seconds: i64) -> Option<i64> {
    let time = libc::time_t::try_from(seconds).ok()?;
    let mut parts = std::mem::MaybeUninit::<libc::tm>::zeroed();
    // SAFETY: the call reads `time` and fills `parts`, or returns null and leaves the zeros, which are also valid. It
    // reads the environment, which nothing in this crate changes.
    let parts = unsafe {
        if libc::localtime_r(&raw const time, parts.as_mut_ptr()).is_null() {
            return None;
        }
        parts.assume_init()
    };
    let date = chrono::NaiveDate::from_ymd_opt(
        parts.tm_year.checked_add(1900)?,
        u32::try_from(parts.tm_mon + 1).ok()?,
        u32::try_from(parts.tm_mday).ok()?,
    )?;
    let midnight = date.and_time(chrono::NaiveTime::MIN).and_utc().timestamp();
    // A leap second is the 61st of its minute, and chrono rejects it, so compute the time of day here.
    let time_of_day = i64::from(parts.tm_hour) * 3600 + i64::from(parts.tm_min) * 60 + i64::from(parts.tm_sec);
    Some(midnight + time_of_day - seconds)
}
