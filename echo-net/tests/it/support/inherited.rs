//! What the tests inherit from whoever runs them: in the background of a shell without job control SIGINT is ignored,
//! and with `nohup` SIGHUP. The programs leave what is ignored as it is, so here both get their default back.

#[ctor::ctor(unsafe)]
fn default_signals() {
    // SAFETY: there is one thread, and no handler to be replaced by the default.
    unsafe {
        libc::signal(libc::SIGINT, libc::SIG_DFL);
        libc::signal(libc::SIGHUP, libc::SIG_DFL);
    }
}
