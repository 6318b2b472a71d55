//! The time as the classic program prints it.

use super::program::Kid;
use echo_net::Clock;
use echo_net::echo_core::Stamp;
use echo_net::echo_core::plain::ctime_header;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{SystemTime, UNIX_EPOCH};

/// Length of `[Mon Nov 23 08:16:00 2026] `.
pub(crate) const HEADER: usize = 27;

/// Seconds since the epoch.
pub(crate) fn seconds() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("the clock is set");
    i64::try_from(now.as_secs()).expect("it is not that late")
}

/// The header of an answer at `second`, in this process's time zone.
pub(crate) fn header_at(second: i64) -> String {
    let stamp = Stamp(second * 1_000_000_000);
    ctime_header(stamp, (Clock::local().utc_offset)(stamp))
}

/// Whether `answer` is `message` behind the header of a second since `begin`.
pub(crate) fn is_answer(answer: &[u8], begin: i64, message: &[u8]) -> bool {
    (begin..=seconds()).any(|second| answer == [header_at(second).as_bytes(), message].concat())
}

/// A C program that prints `ctime` of each of its arguments.
pub(crate) struct Ctime {
    folder: PathBuf,
}

impl Ctime {
    /// Compiles it with `cc`.
    #[track_caller]
    pub(crate) fn compile() -> Self {
        const SOURCE: &str = "#include <stdio.h>\n#include <stdlib.h>\n#include <time.h>\n\
            int main(int n, char **v) { for (int i = 1; i < n; i++) { time_t t = atoll(v[i]); fputs(ctime(&t), stdout); } }\n";
        let thread = std::thread::current();
        let name = thread.name().unwrap_or_default().replace("::", "-");
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a folder");
        let program = Self { folder };
        std::fs::write(program.folder.join("ctime.c"), SOURCE).expect("a file");
        let status = Command::new("cc").current_dir(&program.folder).args(["ctime.c", "-o", "ctime"]).status();
        assert!(status.is_ok_and(|status| status.success()), "cc compiles ctime.c");
        program
    }

    /// Its output, line by line, in a time zone or in this process's.
    #[track_caller]
    pub(crate) fn of(&self, seconds: &[i64], zone: Option<&str>) -> Vec<String> {
        let mut command = Command::new(self.folder.join("ctime"));
        command.args(seconds.iter().map(i64::to_string)).stdout(Stdio::piped());
        command.envs(zone.map(|zone| ("TZ", zone)));
        let (code, out, _) = Kid::spawn(&mut command).finish();
        assert_eq!(code, Some(0));
        out.lines().map(str::to_owned).collect()
    }
}

impl Drop for Ctime {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}
