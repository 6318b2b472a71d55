//! The watch as a picture: a table, what is the matter with the socket that is chosen, and keys.

use super::cells::{Entry, HEAD, Key};
use super::lines::{summary, unreadable};
use super::look::{Look, Stop, Watcher};
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

/// The order in which columns of [`HEAD`] are shown as far as there is room for them.
const IMPORTANCE: [usize; 9] = [1, 8, 2, 0, 6, 5, 4, 3, 7];
/// The least width of each column, so that they do not jump with each look.
const WIDTHS: [u16; 9] = [7, 11, 8, 6, 6, 6, 14, 14, 14];
/// The last column is cut if it must be, the others never.
const HOLDER: usize = 8;
/// The width that the last column has before others get room.
const WIDEST: u16 = 30;

/// Looks at the sockets, and shows them.
pub(crate) struct WatchPicture {
    watcher: Watcher,
    look: Look,
    target: Option<Target>,
    interval: Duration,
    prometheus: Option<PathBuf>,
    view: View,
}

impl WatchPicture {
    /// `look` is the first one.
    pub(crate) fn new(
        watcher: Watcher,
        look: Look,
        target: Option<Target>,
        interval: Duration,
        prometheus: Option<PathBuf>,
    ) -> Self {
        Self { watcher, look, target, interval, prometheus, view: View::default() }
    }
}

/// What the keys have changed.
#[derive(Debug, Default)]
struct View {
    sort: Sort,
    filter: String,
    is_typing: bool,
    is_paused: bool,
    /// The line that is chosen: its key, and where it was.
    chosen: Option<(Key, usize)>,
    /// The first line that is shown.
    first: usize,
    /// All lines that were there.
    keys: Vec<Key>,
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
        let look = match self.watcher.look() {
            Ok(look) => look,
            Err(Stop::Ended(line)) => return Ok(Some(line)),
            Err(stop) => return Err(stop.exit()),
        };
        super::note(&look, self.prometheus.as_deref())?;
        // The metrics go on.
        if !self.view.is_paused {
            self.look = look;
        }
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
        let chosen = self.chosen.map_or(0, |(_, place)| place);
        match key {
            KeyCode::Char('q') => return true,
            KeyCode::Char('p' | ' ') => self.is_paused = !self.is_paused,
            KeyCode::Char('s') => {
                self.sort = self.sort.next();
                self.first = 0;
            }
            KeyCode::Char('/') => self.is_typing = true,
            KeyCode::Esc => self.filter.clear(),
            KeyCode::Up | KeyCode::Char('k') => self.choose(chosen.saturating_sub(1)),
            KeyCode::Down | KeyCode::Char('j') => self.choose(chosen + 1),
            KeyCode::PageUp => self.choose(chosen.saturating_sub(20)),
            KeyCode::PageDown => self.choose(chosen + 20),
            KeyCode::Home => self.choose(0),
            KeyCode::End => self.choose(usize::MAX),
            _ => (),
        }
        false
    }

    /// Chooses a line, or the last.
    fn choose(&mut self, place: usize) {
        let place = place.min(self.keys.len().saturating_sub(1));
        self.chosen = self.keys.get(place).map(|key| (*key, place));
    }

    /// Finds the chosen line again. If it is gone, the one in its place is chosen.
    fn follow(&mut self, lines: &[Entry<'_>]) {
        self.keys = lines.iter().map(|entry| entry.key()).collect();
        let (key, place) = self.chosen.unzip();
        let found = self.keys.iter().position(|other| Some(*other) == key);
        self.choose(found.or(place).unwrap_or_default());
    }

    /// Returns the lines that the filter passes, in their order.
    fn lines<'a>(&self, look: &'a Look) -> Vec<Entry<'a>> {
        let wanted = self.filter.to_lowercase();
        let passes = |entry: &Entry<'_>| {
            let mut cells = entry.cells().into_iter();
            wanted.is_empty() || cells.any(|cell| cell.to_lowercase().contains(&wanted))
        };
        let mut lines: Vec<Entry<'a>> = look.entries().into_iter().filter(passes).collect();
        // The sorts are stable, so what is equal stays in the order of harm.
        match self.sort {
            Sort::Harm => (),
            Sort::Age => lines.sort_by_key(|entry| std::cmp::Reverse(entry.age())),
            Sort::State => lines.sort_by_key(|entry| entry.state()),
            Sort::Holder => lines.sort_by_cached_key(|entry| entry.holder()),
        }
        lines
    }

    fn draw(&mut self, look: &Look, title: &str, frame: &mut Frame<'_>) {
        let lines = self.lines(look);
        self.follow(&lines);
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
        let text = self.chosen.and_then(|(_, place)| lines.get(place)).map(|entry| entry.text());
        let text = text.unwrap_or_else(|| "nothing to show".to_owned());
        frame.render_widget(Paragraph::new(format!("→ {text}")).wrap(Wrap { trim: true }), sentence);
        frame.render_widget(Line::from(self.keys()).style(Style::new().add_modifier(Modifier::REVERSED)), keys);
    }

    fn draw_table(&mut self, lines: &[Entry<'_>], area: Rect, frame: &mut Frame<'_>) {
        // Thousands of lines are not made ready to show the few that fit.
        let height = usize::from(area.height.saturating_sub(1)).max(1);
        let chosen = self.chosen.map_or(0, |(_, place)| place);
        self.first = self.first.min(chosen).max((chosen + 1).saturating_sub(height));
        let shown: Vec<_> =
            lines.iter().skip(self.first).take(height).map(|entry| (entry.cells(), entry.harm())).collect();
        let columns = columns(shown.iter().map(|(cells, _)| cells), area.width);
        let of = |cells: &[String; 9]| columns.iter().map(|(column, _)| cells[*column].clone()).collect::<Vec<_>>();
        let rows = shown.iter().map(|(cells, harm)| {
            let color = match harm {
                Harm::Stuck => Style::new().fg(Color::Red).add_modifier(Modifier::BOLD),
                Harm::Passing => Style::new().fg(Color::Yellow),
                Harm::None => Style::new(),
            };
            Row::new(of(cells)).style(color)
        });
        let head = Row::new(of(&HEAD.map(str::to_owned))).style(Style::new().add_modifier(Modifier::UNDERLINED));
        let marked = Style::new().add_modifier(Modifier::REVERSED);
        let widths = columns.iter().map(|(column, width)| match *column {
            HOLDER => Constraint::Min(*width),
            _ => Constraint::Length(*width),
        });
        let table = Table::new(rows, widths).header(head).row_highlight_style(marked);
        let mut window = TableState::new().with_selected(self.chosen.map(|(_, place)| place - self.first));
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

/// Returns the columns for which there is room, from left to right, with their widths.
fn columns<'a>(rows: impl Iterator<Item = &'a [String; 9]> + Clone, room: u16) -> Vec<(usize, u16)> {
    let width = |column: usize| {
        let cells = rows.clone().map(|cells| cells[column].chars().count());
        let widest = cells.chain([HEAD[column].len()]).max().unwrap_or_default();
        u16::try_from(widest).unwrap_or(u16::MAX)
    };
    let mut columns = Vec::new();
    let mut used: u16 = 0;
    for column in IMPORTANCE {
        let needed = width(column).max(WIDTHS[column]);
        let needed = if column == HOLDER { needed.min(WIDEST) } else { needed };
        if used.saturating_add(needed) <= room {
            used = used.saturating_add(needed).saturating_add(1);
            columns.push((column, needed));
        }
    }
    columns.sort_unstable();
    columns
}

/// Returns the number of lines that a text takes, at most 3.
fn height(text: &str, width: u16) -> u16 {
    let lines = crate::tcp_states::wrapped(text, width.into()).len();
    u16::try_from(lines.clamp(1, 3)).unwrap_or(3)
}

#[cfg(test)]
mod tests {
    use super::WatchPicture;
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
        let (send_still, recv_still) = (Duration::ZERO, Duration::ZERO);
        let observed = Observed { socket, age, send_still, recv_still, is_reading: false };
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
            share: Some(0.81),
            harm: Harm::Passing,
        };
        let counts = [(TcpState::CloseWait, 50), (TcpState::FinWait2, 1), (TcpState::TimeWait, 20_000)].into();
        let look =
            Look { namespace: 1, counts, rows, time_waits: vec![time_waits], unreadable: 3, is_open_question: false };
        let watcher = Watcher::open(Duration::from_secs(10)).expect("sock_diag");
        WatchPicture::new(watcher, look, None, Duration::from_secs(1), None)
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
        assert!(lines[3].starts_with("stuck   CLOSE-WAIT  >1m40s"), "{text}");
        assert!(text.contains("→ the peer finished at least 100 s ago, and leaky.py (pid 7) did not close"), "{text}");
        assert!(lines[19].starts_with("q quit"), "{text}");
    }

    #[test]
    fn keys_choose_sort_filter_and_pause() {
        let mut picture = picture();
        screen(&mut picture, "140x20");
        press(&mut picture, &[KeyCode::End]);
        let text = screen(&mut picture, "140x20");
        assert!(
            text.contains(
                "the last is gone in 48 s; 20000 of them use 81 % of the ports to 10.0.0.2:80: connecting fails"
            ),
            "{text}"
        );
        press(&mut picture, &[KeyCode::Home, KeyCode::Char('s'), KeyCode::Char('s')]);
        let text = screen(&mut picture, "140x20");
        assert!(text.lines().nth(3).is_some_and(|line| line.contains("FIN-WAIT-2")), "{text}");
        assert!(text.contains("→ the peer finished at least 100 s ago"), "the chosen line is the same: {text}");
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
    fn no_column_is_cut_but_the_last_and_the_least_important_give_way() {
        let mut picture = picture();
        let head = |picture: &mut WatchPicture, size| {
            screen(picture, size)
                .lines()
                .find(|line| line.contains("STATE"))
                .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
        };
        for (size, columns) in [
            ("120x20", "HARM STATE AGE RECV-Q SEND-Q TIMER LOCAL PEER HELD BY"),
            ("80x20", "HARM STATE AGE SEND-Q TIMER LOCAL HELD BY"),
            ("60x20", "HARM STATE AGE LOCAL HELD BY"),
            ("40x20", "STATE AGE HELD BY"),
        ] {
            assert_eq!(head(&mut picture, size).as_deref(), Some(columns), "{size}");
        }
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
