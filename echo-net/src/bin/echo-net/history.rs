//! What was typed at the prompt in earlier conversations.

use crate::draft::Draft;
use rustyline::Editor;
use rustyline::history::FileHistory;
use std::env::var_os;
use std::path::PathBuf;

/// Where it is kept: `ECHO_NET_HISTORY`, where an empty value means nowhere; otherwise in the user's directory for
/// state (XDG base directories).
fn path() -> Option<PathBuf> {
    if let Some(path) = var_os("ECHO_NET_HISTORY") {
        return Some(PathBuf::from(path)).filter(|path| !path.as_os_str().is_empty());
    }
    let state = var_os("XDG_STATE_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
    let state = state.or_else(|| Some(PathBuf::from(var_os("HOME")?).join(".local/state")))?;
    Some(state.join("echo-net").join("history"))
}

/// Reads it; one that is not there, or is no file that can be read, is empty.
pub(crate) fn load(editor: &mut Editor<Draft, FileHistory>) {
    if let Some(path) = path().filter(|path| path.is_file()) {
        let _ = editor.load_history(&path);
    }
}

/// Adds what was typed. That it cannot be kept is no reason to disturb anybody.
pub(crate) fn save(editor: &mut Editor<Draft, FileHistory>) {
    // A pipe or a device could take it for ever.
    if let Some(path) = path().filter(|path| path.is_file() || !path.exists()) {
        let _ = path.parent().map(std::fs::create_dir_all);
        let _ = editor.append_history(&path);
    }
}
