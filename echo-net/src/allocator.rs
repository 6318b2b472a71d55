//! Memory that is free goes back to the system.

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
        #[expect(unsafe_code, reason = "there is no other way to it")]
        unsafe {
            libc::mallopt(libc::M_MMAP_THRESHOLD, PIECE)
        };
    }
}
