//! Calls of the system that no safe interface has: the only unsafe code there is.
#![expect(unsafe_code, reason = "three calls of the C library")]

/// Tells the allocator to give memory back as soon as it is free, buffers of 128 KiB and more; to be called once,
/// before a server begins.
///
/// The GNU allocator raises its limit for what it takes from the system piece by piece with each such piece that is
/// freed, up to 32 MiB. Messages are then cut from one heap, of which holes never go back: after some thousand
/// connections with long messages the process keeps gigabytes. Elsewhere this does nothing.
pub fn return_free_memory() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        const PIECE: libc::c_int = 128 * 1024;
        // SAFETY: sets a number of the allocator's, under its lock; no memory is touched. That it can refuse is of no
        // consequence, since everything works without it.
        unsafe { libc::mallopt(libc::M_MMAP_THRESHOLD, PIECE) };
    }
}

/// The bytes that were written to a socket and that its peer has not acknowledged: `SIOCOUTQ` (tcp(7)).
#[cfg(target_os = "linux")]
pub(crate) fn unacknowledged(socket: &impl std::os::fd::AsRawFd) -> Option<usize> {
    let mut count: libc::c_int = 0;
    // SAFETY: the descriptor is open as long as `socket` lives, and the call writes one `int`, which is there.
    let result = unsafe { libc::ioctl(socket.as_raw_fd(), libc::TIOCOUTQ, &raw mut count) };
    if result == 0 { usize::try_from(count).ok() } else { None }
}

/// Local time at `seconds` since 1970, minus UTC, in seconds: what C's `localtime` shows, whatever `TZ` says, leap
/// seconds of a zone in `right/` included; `None` if that cannot be told.
#[cfg(unix)]
pub(crate) fn local_offset(seconds: i64) -> Option<i64> {
    let time = libc::time_t::try_from(seconds).ok()?;
    let mut parts = std::mem::MaybeUninit::<libc::tm>::zeroed();
    // SAFETY: the call reads `time` and fills `parts`, or gives null and leaves the zeros, which are a valid value too.
    // It reads the environment, which nothing in this crate changes.
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
    // A leap second is the 61st of its minute, so the time of day is put together here.
    let time_of_day = i64::from(parts.tm_hour) * 3600 + i64::from(parts.tm_min) * 60 + i64::from(parts.tm_sec);
    Some(midnight + time_of_day - seconds)
}
