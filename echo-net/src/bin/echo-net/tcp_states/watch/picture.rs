//! The watch as a picture: a table, what is the matter with the socket that is chosen, and keys.

use super::cells::{Entry, HEAD};
use super::lines::{summary, unreadable};
use super::look::{Look, Watcher};
use super::target::Target;
use crate::exit::Exit;
use crate::tcp_states::screen::Picture;
use ratatui::Frame;
use ratatui::crossterm::event::KeyCode;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::Line;
use ratatui::widgets::{Paragraph, Row, Table, TableState, Wrap};
use std::path::PathBuf;
use std::time::Duration;
use tcp_states::Harm;

/// Width of each column of [`HEAD`], and the smallest screen that shows it.
const COLUMNS: [(u16, u16); 9] = [(7, 0), (11, 0), (9, 0), (7, 70), (7, 70), (17, 90), (21, 112), (21, 132), (20, 0)];

/// Looks at the sockets, and shows them.
pub(crate) struct WatchPicture {
    pub(crate) watcher: Watcher,
    pub(crate) look: Look,
    pub(crate) target: Option<Target>,
    pub(crate) interval: Duration,
    pub(crate) prometheus: Option<PathBuf>,
    pub(crate) view: View,
}

/// What the keys have changed.
#[derive(Debug, Default)]
pub(crate) struct View {
    sort: Sort,
    filter: String,
    is_typing: bool,
    is_paused: bool,
    chosen: TableState,
    /// Number of lines that were shown.
    count: usize,
}

/// The order of the lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Sort {
    #[default]
    Harm,
    Age,
    State,
    Holder,
}

impl Sort {
    fn next(self) -> Self {
        match self {
            Self::Harm => Self::Age,
            Self::Age => Self::State,
            Self::State => Self::Holder,
            Self::Holder => Self::Harm,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Harm => "harm",
            Self::Age => "age",
            Self::State => "state",
            Self::Holder => "holder",
        }
    }
}

impl Picture for WatchPicture {
    fn draw(&mut self, frame: &mut Frame<'_>) {
        let title = summary(&self.look, self.target);
        self.view.draw(&self.look, &title, frame);
    }

    fn press(&mut self, key: KeyCode) -> bool {
        self.view.press(key)
    }

    fn refresh(&mut self) -> Result<Option<String>, (Exit, String)> {
        if self.view.is_paused {
            return Ok(None);
        }
        if let Some(target) = self.target.filter(|target| target.has_ended()) {
            return Ok(Some(format!("{target} has ended")));
        }
        self.look = super::look_and_note(&mut self.watcher, self.prometheus.as_deref())?;
        Ok(None)
    }

    fn pace(&self) -> Duration {
        self.interval
    }
}

impl View {
    /// Handles a key. Returns whether the picture is over.
    fn press(&mut self, key: KeyCode) -> bool {
        if self.is_typing {
            match key {
                KeyCode::Char(character) if !character.is_control() => self.filter.push(character),
                KeyCode::Backspace => drop(self.filter.pop()),
                KeyCode::Esc => {
                    self.filter.clear();
                    self.is_typing = false;
                }
                KeyCode::Enter => self.is_typing = false,
                _ => (),
            }
            return false;
        }
        let last = self.count.saturating_sub(1);
        let chosen = self.chosen.selected().unwrap_or_default();
        match key {
            KeyCode::Char('q') => return true,
            KeyCode::Char('p' | ' ') => self.is_paused = !self.is_paused,
            KeyCode::Char('s') => self.sort = self.sort.next(),
            KeyCode::Char('/') => self.is_typing = true,
            KeyCode::Esc => self.filter.clear(),
            KeyCode::Up | KeyCode::Char('k') => self.chosen.select(Some(chosen.saturating_sub(1))),
            KeyCode::Down | KeyCode::Char('j') => self.chosen.select(Some((chosen + 1).min(last))),
            KeyCode::PageUp => self.chosen.select(Some(chosen.saturating_sub(20))),
            KeyCode::PageDown => self.chosen.select(Some((chosen + 20).min(last))),
            KeyCode::Home => self.chosen.select(Some(0)),
            KeyCode::End => self.chosen.select(Some(last)),
            _ => (),
        }
        false
    }

    /// Returns the lines that the filter passes, in their order.
    fn lines<'a>(&self, look: &'a Look) -> Vec<Entry<'a>> {
        let wanted = self.filter.to_lowercase();
        let passes = |entry: &Entry<'_>| {
            let mut cells = entry.cells().into_iter();
            wanted.is_empty() || cells.any(|cell| cell.to_lowercase().contains(&wanted))
        };
        let mut lines: Vec<Entry<'a>> = look.entries().filter(passes).collect();
        // The sorts are stable, so what is equal stays in the order of harm.
        match self.sort {
            Sort::Harm => lines.sort_by_key(|entry| std::cmp::Reverse(entry.harm())),
            Sort::Age => lines.sort_by_key(|entry| std::cmp::Reverse(entry.age())),
            Sort::State => lines.sort_by_key(|entry| entry.state()),
            Sort::Holder => lines.sort_by_key(|entry| entry.holder()),
        }
        lines
    }

    fn draw(&mut self, look: &Look, title: &str, frame: &mut Frame<'_>) {
        let lines = self.lines(look);
        self.count = lines.len();
        let last = lines.len().checked_sub(1);
        self.chosen.select(last.map(|last| self.chosen.selected().unwrap_or_default().min(last)));
        let width = frame.area().width;
        let notice = unreadable(look);
        let heights = [height(title, width), notice.as_deref().map_or(0, |notice| height(notice, width))];
        let rest = frame.area().height.saturating_sub(heights[0] + heights[1]);
        let [top, warning, table, sentence, keys] = Layout::vertical([
            Constraint::Length(heights[0]),
            Constraint::Length(heights[1]),
            Constraint::Min(2),
            Constraint::Length(if rest > 8 { 3 } else { 2 }),
            Constraint::Length(1),
        ])
        .areas(frame.area());
        let bold = Style::new().add_modifier(Modifier::BOLD);
        frame.render_widget(Paragraph::new(title).style(bold).wrap(Wrap { trim: true }), top);
        frame.render_widget(Paragraph::new(notice.unwrap_or_default()).wrap(Wrap { trim: true }), warning);
        self.draw_table(&lines, table, frame);
        let text = self.chosen.selected().and_then(|chosen| lines.get(chosen)).map(|entry| entry.text());
        let text = text.unwrap_or_else(|| "nothing to show".to_owned());
        frame.render_widget(Paragraph::new(format!("→ {text}")).wrap(Wrap { trim: true }), sentence);
        frame.render_widget(Line::from(self.keys()).style(Style::new().add_modifier(Modifier::REVERSED)), keys);
    }

    fn draw_table(&mut self, lines: &[Entry<'_>], area: Rect, frame: &mut Frame<'_>) {
        let shown = |cells: [String; 9]| {
            cells.into_iter().zip(COLUMNS).filter(|(_, (_, from))| area.width >= *from).map(|(cell, _)| cell)
        };
        let widths = COLUMNS.into_iter().filter(|(_, from)| area.width >= *from).map(|(width, _)| width);
        let mut widths: Vec<Constraint> = widths.map(Constraint::Length).collect();
        if let Some(holder) = widths.last_mut() {
            *holder = Constraint::Min(8);
        }
        // Thousands of lines are not made ready to show the few that fit.
        let height = usize::from(area.height.saturating_sub(1));
        let chosen = self.chosen.selected().unwrap_or_default();
        let first = self.chosen.offset().min(chosen).max((chosen + 1).saturating_sub(height));
        *self.chosen.offset_mut() = first;
        let rows = lines.iter().skip(first).take(height).map(|entry| {
            let color = match entry.harm() {
                Harm::Stuck => Style::new().fg(Color::Red).add_modifier(Modifier::BOLD),
                Harm::Passing => Style::new().fg(Color::Yellow),
                Harm::None => Style::new(),
            };
            Row::new(shown(entry.cells())).style(color)
        });
        let head = Row::new(shown(HEAD.map(str::to_owned))).style(Style::new().add_modifier(Modifier::UNDERLINED));
        let marked = Style::new().add_modifier(Modifier::REVERSED);
        let table = Table::new(rows, widths).header(head).row_highlight_style(marked);
        let mut window = TableState::new().with_selected(self.chosen.selected().map(|chosen| chosen - first));
        frame.render_stateful_widget(table, area, &mut window);
    }

    fn keys(&self) -> String {
        if self.is_typing {
            return format!("filter: {}_  (Enter keeps it, Esc removes it)", self.filter);
        }
        let paused = if self.is_paused { "PAUSED  " } else { "" };
        let filter = if self.filter.is_empty() { String::new() } else { format!("  filter: {}", self.filter) };
        format!("{paused}q quit  p pause  s sort: {}  / filter  ↑↓ choose{filter}", self.sort.name())
    }
}

/// Returns the number of lines that a text takes, at most 3.
fn height(text: &str, width: u16) -> u16 {
    let lines = crate::tcp_states::wrapped(text, width.into()).len();
    u16::try_from(lines.clamp(1, 3)).unwrap_or(3)
}

#[cfg(test)]
mod tests {
    use super::{View, WatchPicture};
    use crate::tcp_states::screen::tests::draw_on_all_sizes;
    use crate::tcp_states::screen::{Picture as _, ScreenSize, text};
    use crate::tcp_states::watch::look::{Look, Row, Watcher};
    use crate::tcp_states::watch::time_wait::{Kind, TimeWaits};
    use ratatui::crossterm::event::KeyCode;
    use std::time::Duration;
    use tcp_states::{Age, Diagnosis, Finding, Harm, Observed, TcpSocket, TcpState};

    fn row(number: u16, state: TcpState, finding: Finding, harm: Harm, holder: &str) -> Row {
        let socket = TcpSocket {
            cookie: number.into(),
            local: ([127, 0, 0, 1], 2012).into(),
            remote: ([127, 0, 0, 1], 40_000 + number).into(),
            state,
            recv_queue: 1,
            send_queue: 0,
            timer: None,
            retransmissions: 0,
            traffic: None,
            uid: 0,
            inode: 1,
        };
        let age = Age { time: Duration::from_secs(number.into()), is_minimum: true };
        let observed = Observed { socket, age, send_still: Duration::ZERO, recv_still: Duration::ZERO };
        Row { observed, owners: [].into(), holder: holder.into(), diagnosis: Diagnosis { finding, harm } }
    }

    fn picture() -> WatchPicture {
        let mut rows: Vec<Row> = (0..50)
            .map(|number| row(100 - number, TcpState::CloseWait, Finding::NotClosed, Harm::Stuck, "leaky.py (pid 7)"))
            .collect();
        rows.push(row(5, TcpState::FinWait2, Finding::OrphanWaits, Harm::Passing, "no process"));
        let time_waits = TimeWaits {
            kind: Kind::Client([10, 0, 0, 1].into(), ([10, 0, 0, 2], 80).into()),
            count: 20_000,
            left: Duration::from_secs(48),
            share: Some(0.71),
            harm: Harm::Passing,
        };
        let counts = [(TcpState::CloseWait, 50), (TcpState::FinWait2, 1), (TcpState::TimeWait, 20_000)].into();
        let look = Look { namespace: 1, counts, rows, time_waits: vec![time_waits], unreadable: 3 };
        WatchPicture {
            watcher: Watcher::open(Duration::from_secs(10)).expect("sock_diag"),
            look,
            target: None,
            interval: Duration::from_secs(1),
            prometheus: None,
            view: View::default(),
        }
    }

    fn screen(picture: &mut WatchPicture, size: &str) -> String {
        text(picture, size.parse::<ScreenSize>().expect("a size"))
    }

    #[track_caller]
    fn press(picture: &mut WatchPicture, keys: &[KeyCode]) {
        for key in keys {
            assert!(!picture.press(*key), "{key:?} is not the end");
        }
    }

    #[test]
    fn the_worst_is_first_and_what_is_missing_is_said() {
        let mut picture = picture();
        let text = screen(&mut picture, "140x20");
        let lines: Vec<&str> = text.lines().collect();
        let counts = "FIN-WAIT-2 1, CLOSE-WAIT 50, TIME-WAIT 20000";
        assert_eq!(lines[0], format!("network namespace 1, 50 stuck, 2 passing, {counts}"));
        assert!(lines[1].starts_with("The sockets of 3 processes cannot be read"), "{text}");
        assert!(lines[3].starts_with("stuck   CLOSE-WAIT  >100 s"), "{text}");
        assert!(
            text.contains("→ the peer has finished at least 100 s ago, and leaky.py (pid 7) has not closed"),
            "{text}"
        );
        assert!(lines[19].starts_with("q quit"), "{text}");
    }

    #[test]
    fn keys_choose_sort_filter_and_pause() {
        let mut picture = picture();
        screen(&mut picture, "140x20");
        press(&mut picture, &[KeyCode::End]);
        let text = screen(&mut picture, "140x20");
        assert!(text.contains("20000 of them use 71 % of the ports to 10.0.0.2:80: soon connecting fails"), "{text}");
        press(&mut picture, &[KeyCode::Home, KeyCode::Char('s'), KeyCode::Char('s')]);
        let text = screen(&mut picture, "140x20");
        assert!(text.lines().nth(3).is_some_and(|line| line.contains("FIN-WAIT-2")), "{text}");
        let typed = ['/', 'q', 'T', 'I', 'M'].map(KeyCode::Char);
        press(&mut picture, &typed);
        assert!(screen(&mut picture, "140x20").contains("filter: qTIM_"), "q is a letter while a filter is typed");
        assert!(screen(&mut picture, "140x20").contains("nothing to show"));
        press(
            &mut picture,
            &[KeyCode::Esc, KeyCode::Char('/'), KeyCode::Char('t'), KeyCode::Char('i'), KeyCode::Enter],
        );
        let text = screen(&mut picture, "140x20");
        assert!(text.contains("TIME-WAIT   × 20000") && !text.contains("leaky"), "{text}");
        press(&mut picture, &[KeyCode::Char('p')]);
        assert!(screen(&mut picture, "140x20").contains("PAUSED"));
        assert_eq!(picture.refresh().ok(), Some(None));
        assert_eq!(picture.look.rows.len(), 51, "nothing changes while it is paused");
        assert!(picture.press(KeyCode::Char('q')));
    }

    #[test]
    fn every_size_is_drawn() {
        let mut picture = picture();
        draw_on_all_sizes(&mut picture);
        press(&mut picture, &[KeyCode::End]);
        draw_on_all_sizes(&mut picture);
        picture.look.rows.clear();
        picture.look.time_waits.clear();
        draw_on_all_sizes(&mut picture);
    }
}
