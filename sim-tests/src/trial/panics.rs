//! Panics of a run: recorded with their place, and not printed, because a trial has thousands of runs.

use std::cell::RefCell;
use std::panic::{self, PanicHookInfo};
use std::sync::Once;

thread_local! {
    /// The panics of the code that [`watch`] runs; `None` if it runs none.
    static SEEN: RefCell<Option<Vec<String>>> = const { RefCell::new(None) };
}

/// Runs `code`, and returns the panics in it that [`take_last`] has not taken, those that were caught included. They are
/// not printed. Calls are not nested.
pub(super) fn watch<T>(code: impl FnOnce() -> T) -> (T, Vec<String>) {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let others = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if !record(info) {
                others(info);
            }
        }));
    });
    SEEN.set(Some(Vec::new()));
    let result = code();
    (result, SEEN.take().unwrap_or_default())
}

/// Takes the last panic, for the one who has caught it.
pub(super) fn take_last() -> Option<String> {
    SEEN.with_borrow_mut(|seen| seen.as_mut()?.pop())
}

/// Returns whether the panic was in code that [`watch`] runs.
fn record(info: &PanicHookInfo<'_>) -> bool {
    let record = |seen: &mut Option<Vec<String>>| seen.as_mut().map(|seen| seen.push(describe(info))).is_some();
    // A panic in a destructor of a thread that ends may find nothing.
    SEEN.try_with(|seen| seen.try_borrow_mut().is_ok_and(|mut seen| record(&mut seen))).unwrap_or(false)
}

fn describe(info: &PanicHookInfo<'_>) -> String {
    let message = one_line(info.payload_as_str().unwrap_or("no message"));
    match info.location() {
        Some(place) => format!("{message} ({}:{})", short(place.file()), place.line()),
        None => message,
    }
}

/// Joins the lines of a message, such as those of `assert_eq!`.
pub(super) fn one_line(message: &str) -> String {
    message.lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join(", ")
}

/// Returns the path of a source file without what differs from machine to machine: a crate of a registry is named from
/// its folder on.
fn short(path: &str) -> &str {
    if !path.starts_with('/') {
        return path;
    }
    let inside = path.rfind("/src/").unwrap_or(0);
    let folder = path[..inside].rfind('/').map_or(0, |at| at + 1);
    &path[folder..]
}

#[cfg(test)]
mod tests {
    use super::{one_line, short, take_last, watch};

    #[test]
    fn what_differs_between_machines_is_left_out() {
        assert_eq!(short("src/main.rs"), "src/main.rs");
        assert_eq!(
            short("/home/me/.cargo/registry/src/index-1/tokio-1.2/src/sync/watch.rs"),
            "tokio-1.2/src/sync/watch.rs"
        );
        assert_eq!(short("/rustc/59807616/library/std/src/thread.rs"), "std/src/thread.rs");
    }

    #[test]
    fn a_message_of_several_lines() {
        assert_eq!(one_line("assertion failed\n  left: 1\n\n right: 2\n"), "assertion failed, left: 1, right: 2");
    }

    #[test]
    fn a_panic_that_is_caught() {
        let ((), seen) = watch(|| {
            std::panic::catch_unwind(|| panic!("one")).expect_err("it panics");
            std::panic::catch_unwind(|| panic!("two")).expect_err("it panics");
            assert!(take_last().expect("a panic").starts_with("two ("));
        });
        assert!(matches!(&seen[..], [one] if one.starts_with("one (") && one.contains("panics.rs:")), "{seen:?}");
        assert_eq!(take_last(), None);
    }
}
