//! The history of the prompt, kept between conversations.

use crate::draft::Draft;
use rustyline::Editor;
use rustyline::history::FileHistory;
use std::env::var_os;
use std::path::PathBuf;

/// Returns the path of the history: `ECHO_NET_HISTORY` (empty: none), otherwise a file in the user's state directory
/// (XDG base directories).
fn path() -> Option<PathBuf> {
    if let Some(path) = var_os("ECHO_NET_HISTORY") {
        return Some(PathBuf::from(path)).filter(|path| !path.as_os_str().is_empty());
    }
    let state = var_os("XDG_STATE_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
    let state = state.or_else(|| Some(PathBuf::from(var_os("HOME")?).join(".local/state")))?;
    Some(state.join("echo-net").join("history"))
}

/// Loads the history. A missing or unreadable file counts as empty.
pub(crate) fn load(editor: &mut Editor<Draft, FileHistory>) {
    if let Some(path) = path().filter(|path| path.is_file()) {
        let _ = editor.load_history(&path);
    }
}

/// Appends the new entries. A failure is ignored.
pub(crate) fn save(editor: &mut Editor<Draft, FileHistory>) {
    // A write to a pipe or a device could block without end.
    if let Some(path) = path().filter(|path| path.is_file() || !path.exists()) {
        let _ = path.parent().map(std::fs::create_dir_all);
        let _ = editor.append_history(&path);
    }
}
