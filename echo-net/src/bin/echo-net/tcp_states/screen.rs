//! A picture on a terminal, with keys; or once as text.

use crate::exit::{Exit, killed, say};
use crate::signals::{Signal, Signals};
use ratatui::backend::{CrosstermBackend, TestBackend};
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use ratatui::crossterm::execute;
use ratatui::crossterm::terminal::{Clear, ClearType, EnterAlternateScreen, enable_raw_mode};
use ratatui::layout::{Alignment, Size};
use ratatui::widgets::Paragraph;
use ratatui::{DefaultTerminal, Frame, Terminal};
use rustix::process::kill_current_process_group;
use std::io;
use std::process::ExitCode;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::spawn_blocking;

/// The smallest terminal that shows a picture.
const SMALLEST: Size = Size { width: 40, height: 10 };
/// The longest time until a signal is noticed.
const SIGNALS: Duration = Duration::from_millis(200);

/// A picture that changes with time and keys.
pub(crate) trait Picture {
    /// Draws it. The frame is at least 40 columns wide and 10 lines high.
    fn draw(&mut self, frame: &mut Frame<'_>);

    /// Handles a key. Returns whether the picture is over.
    fn press(&mut self, key: KeyCode) -> bool;

    /// Looks at the world again. Returns why the picture is over, if it is.
    ///
    /// # Errors
    /// The exit code, and one line.
    fn refresh(&mut self) -> Result<Option<String>, (Exit, String)>;

    /// Returns the time between two calls of `refresh`.
    fn pace(&self) -> Duration;
}

/// Why a picture is over.
enum Over {
    /// A key was pressed.
    Left,
    Because(String),
    Killed(Signal),
}

/// Shows a picture on the terminal until it is over, by a key or by a signal.
///
/// # Errors
/// The exit code, and one line: the terminal cannot be used, or the picture failed.
pub(crate) async fn show(mut picture: impl Picture + Send + 'static) -> Result<ExitCode, (Exit, String)> {
    let no_terminal =
        |error: io::Error| (Exit::System, format!("cannot use the terminal: {error}; --lines needs none"));
    let signals = Signals::listen().map_err(no_terminal)?;
    let continued = Arc::new(AtomicBool::new(false));
    let mut again = signal(SignalKind::from_raw(rustix::process::Signal::CONT.as_raw())).map_err(no_terminal)?;
    let noticed = continued.clone();
    tokio::spawn(async move {
        while again.recv().await.is_some() {
            noticed.store(true, Ordering::Relaxed);
        }
    });
    let shown = spawn_blocking(move || {
        // A mode that was set by half is restored.
        let mut terminal = ratatui::try_init().inspect_err(|_| ratatui::restore()).map_err(no_terminal)?;
        let shown = run(&mut terminal, &mut picture, &signals, &continued);
        ratatui::restore();
        shown
    });
    let over = shown.await.unwrap_or_else(|error| Err((Exit::System, format!("the picture failed: {error}"))));
    Ok(match over? {
        Over::Left => Exit::Clean.into(),
        Over::Killed(signal) => killed(signal),
        Over::Because(why) => {
            say(&why);
            Exit::Clean.into()
        }
    })
}

fn run(
    terminal: &mut DefaultTerminal,
    picture: &mut impl Picture,
    signals: &Signals,
    continued: &AtomicBool,
) -> Result<Over, (Exit, String)> {
    let failed = |error: io::Error| (Exit::System, format!("the terminal failed: {error}"));
    let mut refreshed = Instant::now();
    let mut has_changed = true;
    loop {
        if continued.swap(false, Ordering::Relaxed) {
            // A stop has changed the terminal's mode, and a shell has written to it.
            set_up(terminal).map_err(failed)?;
            has_changed = true;
        }
        if has_changed {
            terminal.draw(|frame| draw(picture, frame)).map_err(failed)?;
            has_changed = false;
        }
        let wait = picture.pace().saturating_sub(refreshed.elapsed());
        if event::poll(wait.min(SIGNALS)).map_err(failed)? {
            has_changed = true;
            match event::read().map_err(failed)? {
                Event::Key(key) if is_control(key, 'c') => return Ok(Over::Killed(Signal::Interrupt)),
                Event::Key(key) if is_control(key, 'z') => {
                    ratatui::restore();
                    stop(continued);
                    set_up(terminal).map_err(failed)?;
                }
                Event::Key(key) if key.kind != KeyEventKind::Release && picture.press(key.code) => {
                    return Ok(Over::Left);
                }
                _ => (),
            }
        }
        if refreshed.elapsed() >= picture.pace() {
            refreshed = Instant::now();
            has_changed = true;
            if let Some(why) = picture.refresh()? {
                return Ok(Over::Because(why));
            }
        }
        if let Some(signal) = signals.first() {
            return Ok(Over::Killed(signal));
        }
    }
}

/// Stops this process until SIGCONT. Without a shell that could send it, the kernel ignores this, and the picture goes
/// on.
fn stop(continued: &AtomicBool) {
    let _ = kill_current_process_group(rustix::process::Signal::TSTP);
    // Another thread may take the signal, so this one runs on for a moment.
    let end = Instant::now() + SIGNALS;
    while !continued.swap(false, Ordering::Relaxed) && Instant::now() < end {
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Sets the terminal's mode again.
fn set_up(terminal: &mut DefaultTerminal) -> io::Result<()> {
    // Raw mode is set only if it is not thought to be set.
    ratatui::restore();
    enable_raw_mode()?;
    execute!(io::stdout(), EnterAlternateScreen, Clear(ClearType::All))?;
    // A new one draws everything.
    *terminal = Terminal::new(CrosstermBackend::new(io::stdout()))?;
    Ok(())
}

fn is_control(key: KeyEvent, letter: char) -> bool {
    let is_letter = matches!(key.code, KeyCode::Char(pressed) if pressed.eq_ignore_ascii_case(&letter));
    key.modifiers.contains(KeyModifiers::CONTROL) && is_letter
}

fn draw(picture: &mut impl Picture, frame: &mut Frame<'_>) {
    let size = frame.area().as_size();
    if size.width >= SMALLEST.width && size.height >= SMALLEST.height {
        return picture.draw(frame);
    }
    let text = format!("too small: {size}\nneeds {SMALLEST}\nq quits");
    frame.render_widget(Paragraph::new(text).alignment(Alignment::Left), frame.area());
}

/// Columns and lines of a terminal, as `100x30`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ScreenSize(Size);

impl FromStr for ScreenSize {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text} is not a size: expected COLUMNSxLINES from 1x1 to 500x500, such as 100x30");
        let (width, height) = text.split_once('x').ok_or_else(wrong)?;
        let number = |text: &str| text.parse().ok().filter(|number| (1..=500).contains(number)).ok_or_else(wrong);
        Ok(Self(Size { width: number(width)?, height: number(height)? }))
    }
}

/// Returns a picture as text, as a terminal of this size shows it.
pub(crate) fn text(picture: &mut impl Picture, ScreenSize(size): ScreenSize) -> String {
    let Ok(mut terminal) = Terminal::new(TestBackend::new(size.width, size.height));
    let Ok(_) = terminal.draw(|frame| draw(picture, frame));
    let buffer = terminal.backend().buffer();
    let mut text = String::new();
    for line in buffer.content().chunks(usize::from(size.width)) {
        let line: String = line.iter().map(|cell| cell.symbol()).collect();
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
pub(crate) mod tests {
    use super::{Picture, ScreenSize, text};
    use crate::exit::Exit;
    use ratatui::Frame;
    use ratatui::crossterm::event::KeyCode;
    use ratatui::widgets::Paragraph;
    use std::time::Duration;

    struct Hello;

    impl Picture for Hello {
        fn draw(&mut self, frame: &mut Frame<'_>) {
            frame.render_widget(Paragraph::new("hello"), frame.area());
        }

        fn press(&mut self, _: KeyCode) -> bool {
            true
        }

        fn refresh(&mut self) -> Result<Option<String>, (Exit, String)> {
            Ok(None)
        }

        fn pace(&self) -> Duration {
            Duration::MAX
        }
    }

    /// Draws a picture on each size, and so shows that none is too small for it.
    pub(crate) fn draw_on_all_sizes(picture: &mut impl Picture) {
        for width in (1..130).step_by(3) {
            for height in 1..45 {
                text(picture, ScreenSize(ratatui::layout::Size { width, height }));
            }
        }
    }

    #[test]
    fn a_terminal_that_is_too_small_says_so() {
        let size = |text: &str| text.parse::<ScreenSize>().expect("a size");
        assert_eq!(text(&mut Hello, size("40x10")), format!("hello\n{}", "\n".repeat(9)));
        assert_eq!(text(&mut Hello, size("39x4")), "too small: 39x4\nneeds 40x10\nq quits\n\n");
        draw_on_all_sizes(&mut Hello);
    }

    #[test]
    fn a_size_has_two_numbers() {
        for wrong in ["", "x", "100", "0x10", "10x0", "501x10", "-1x1", "1x1x1"] {
            assert!(wrong.parse::<ScreenSize>().is_err_and(|line| line.contains("COLUMNSxLINES")), "{wrong}");
        }
    }
}
