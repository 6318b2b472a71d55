//! Durations and sizes on the command line: a number with a unit.

use std::num::NonZero;
use std::time::Duration;

/// Parses a duration: `10ms`, `1.5s`, `5m`. A number alone has the unit `usual`, in seconds.
///
/// # Errors
/// The text is not a duration.
pub(crate) fn duration(text: &str, usual: f64) -> Result<Duration, String> {
    let wrong = || format!("{text} is not a time: expected a number and us, ms, s, m or h");
    let (number, unit) = split(text);
    let seconds = match unit {
        "" => usual,
        "us" => 1e-6,
        "ms" => 1e-3,
        "s" => 1.0,
        "m" | "min" => 60.0,
        "h" => 3600.0,
        _ => return Err(wrong()),
    };
    let number: f64 = number.parse().map_err(|_| wrong())?;
    Duration::try_from_secs_f64(number * seconds).map_err(|error| format!("{text}: {error}"))
}

/// Parses a duration in seconds, above zero.
pub(crate) fn some_seconds(text: &str) -> Result<Duration, String> {
    let length = duration(text, 1.0)?;
    if length.is_zero() { Err(format!("{text} is not above zero: expected a number of seconds")) } else { Ok(length) }
}

/// Parses a duration in seconds, at most a day.
pub(crate) fn of_a_day(text: &str) -> Result<Duration, String> {
    const DAY: Duration = Duration::from_secs(86_400);
    let length = duration(text, 1.0)?;
    if length > DAY { Err(format!("{text} is over a day")) } else { Ok(length) }
}

/// Parses a duration in seconds, above zero and at most a day.
pub(crate) fn some_of_a_day(text: &str) -> Result<Duration, String> {
    some_seconds(text).and_then(|_| of_a_day(text))
}

/// Parses a count of at least 1.
pub(crate) fn count(text: &str) -> Result<usize, String> {
    text.parse().ok().filter(|count| *count > 0).ok_or_else(|| "expected a number of at least 1".to_owned())
}

/// Parses a number of threads.
pub(crate) fn threads(text: &str) -> Result<NonZero<usize>, String> {
    text.parse()
        .ok()
        .filter(|count: &NonZero<usize>| count.get() <= 1024)
        .ok_or_else(|| "expected 1 to 1024".to_owned())
}

/// Parses a size in bytes, as [`size`] does.
pub(crate) fn any_size(text: &str) -> Result<usize, String> {
    size(text).ok_or_else(|| "expected a number of bytes, such as 1000 or 64k".to_owned())
}

/// Parses a duration in milliseconds.
pub(crate) fn milliseconds(text: &str) -> Result<Duration, String> {
    duration(text, 1e-3)
}

/// Parses a size in bytes: `1000`, `64k` (1024 bytes each), `1M`, `2G`.
pub(crate) fn size(text: &str) -> Option<usize> {
    let (number, unit) = split(text);
    let shift = match unit {
        "" | "B" => 0,
        "k" | "K" | "kB" | "KB" | "kiB" | "KiB" => 10,
        "m" | "M" | "mB" | "MB" | "miB" | "MiB" => 20,
        "g" | "G" | "gB" | "GB" | "giB" | "GiB" => 30,
        _ => return None,
    };
    number.parse::<usize>().ok()?.checked_mul(1 << shift)
}

fn split(text: &str) -> (&str, &str) {
    let end = text.find(|c: char| c.is_ascii_alphabetic() && c != 'e').unwrap_or(text.len());
    text.split_at(end)
}

#[cfg(test)]
mod tests {
    use super::{duration, size};
    use std::time::Duration;

    #[test]
    fn lengths_of_time_have_units() {
        for (text, millis) in
            [("10ms", 10), ("1.5s", 1500), ("2", 2000), ("5m", 300_000), ("1h", 3_600_000), ("1e1", 10_000)]
        {
            assert_eq!(duration(text, 1.0), Ok(Duration::from_millis(millis)), "{text}");
        }
        for text in ["", "ms", "10 parsecs", "-1s", "NaN", "inf", "1e30"] {
            assert!(duration(text, 1.0).is_err(), "{text}");
        }
    }

    #[test]
    fn sizes_have_units() {
        for (text, bytes) in [("1", 1), ("1k", 1024), ("64KiB", 65_536), ("2M", 2 << 20), ("1GB", 1 << 30)] {
            assert_eq!(size(text), Some(bytes), "{text}");
        }
        for text in ["", "k", "-1", "1.5k", "1 x", "1kBBB", "1iB", "1kiBiB", "99999999999G"] {
            assert_eq!(size(text), None, "{text}");
        }
    }
}
