//! Signals that the tests inherit as ignored: SIGINT in the background of a shell without job control, SIGHUP with
//! `nohup`. The programs keep ignored signals ignored, so both get their default action here.

#[ctor::ctor(unsafe)]
fn default_signals() {
    // SAFETY: there is one thread, and no handler to be replaced by the default.
    unsafe {
        libc::signal(libc::SIGINT, libc::SIG_DFL);
        libc::signal(libc::SIGHUP, libc::SIG_DFL);
    }
}
