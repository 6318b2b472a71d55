//! The experiment as a picture: both ends side by side as the kernel shows them now, what has happened, and what it
//! means.

use super::diagram::{self, Taken};
use super::live::Live;
use super::moment::{End, Moment};
use super::plan::{Plan, Side};
use crate::exit::Exit;
use crate::tcp_states::screen::Picture;
use crate::tcp_states::wrapped;
use ratatui::Frame;
use ratatui::crossterm::event::KeyCode;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Paragraph, Wrap};
use std::time::{Duration, Instant};

/// How long a moment is shown before the next one.
const PACE: Duration = Duration::from_secs(3);
/// Lines and columns that the diagram takes; where there is no room for them, it is not shown.
const DIAGRAM: (u16, u16) = (19, 76);
/// Lines and columns that the story takes at least beside or above the diagram.
const STORY: (u16, u16) = (6, 44);

/// An experiment as it goes on.
pub(crate) struct ExperimentPicture {
    plan: Plan,
    /// `None`: everything has happened.
    live: Option<Live>,
    moments: Vec<Moment>,
    /// Both ends as the kernel shows them now.
    now: [End; 2],
    shown_since: Instant,
    is_paused: bool,
    wants_next: bool,
    is_over: bool,
    has_diagram: bool,
}

impl ExperimentPicture {
    /// An experiment that goes on. `first` is its first moment.
    pub(crate) fn live(plan: Plan, live: Live, first: Moment, has_diagram: bool, is_paused: bool) -> Self {
        let now = Side::BOTH.map(|side| first.of(side).clone());
        let moments = vec![first];
        let (shown_since, live) = (Instant::now(), Some(live));
        Self { plan, live, moments, now, shown_since, is_paused, wants_next: false, is_over: false, has_diagram }
    }

    /// An experiment that is over.
    pub(crate) fn over(plan: Plan, moments: Vec<Moment>, has_diagram: bool) -> Option<Self> {
        let last = moments.last()?;
        let now = Side::BOTH.map(|side| last.of(side).clone());
        let shown_since = Instant::now();
        Some(Self {
            plan,
            live: None,
            moments,
            now,
            shown_since,
            is_paused: false,
            wants_next: false,
            is_over: true,
            has_diagram,
        })
    }

    /// Lets the next step happen.
    fn proceed(&mut self) -> Result<(), (Exit, String)> {
        let Some(live) = self.live.as_ref().filter(|_| !self.is_over) else { return Ok(()) };
        match live.next().map_err(|line| (Exit::System, line))? {
            Some(moment) => {
                self.now = Side::BOTH.map(|side| moment.of(side).clone());
                self.moments.push(moment);
                self.shown_since = Instant::now();
            }
            None => self.is_over = true,
        }
        Ok(())
    }
}

impl Picture for ExperimentPicture {
    fn draw(&mut self, frame: &mut Frame<'_>) {
        let [title, ends, below, keys] =
            Layout::vertical([Constraint::Length(1), Constraint::Length(8), Constraint::Min(0), Constraint::Length(1)])
                .areas(frame.area());
        let bold = Style::new().add_modifier(Modifier::BOLD);
        frame.render_widget(Line::from(self.plan.command()).style(bold), title);
        let columns: [Rect; 2] = Layout::horizontal([Constraint::Fill(1); 2]).areas(ends);
        for side in Side::BOTH {
            self.draw_end(side, columns[side as usize], frame);
        }
        let (lines, columns) = DIAGRAM;
        let fits = self.has_diagram && below.width >= columns && below.height >= lines;
        if fits && below.width >= columns + STORY.1 {
            let sides = [Constraint::Min(0), Constraint::Length(columns)];
            let [story, diagram] = Layout::horizontal(sides).areas(below);
            self.draw_story(story, frame);
            self.draw_diagram(diagram, frame);
        } else if fits && below.height >= lines + STORY.0 {
            let [story, diagram] = Layout::vertical([Constraint::Min(0), Constraint::Length(lines)]).areas(below);
            self.draw_story(story, frame);
            self.draw_diagram(diagram, frame);
        } else if fits {
            self.draw_diagram(below, frame);
        } else {
            self.draw_story(below, frame);
        }
        let state = match (self.is_over, self.is_paused) {
            (true, _) => "OVER  ",
            (false, true) => "PAUSED  ",
            (false, false) => "",
        };
        let line = format!("{state}q quit  Enter next step  p pause  d diagram");
        frame.render_widget(Line::from(line).style(Style::new().add_modifier(Modifier::REVERSED)), keys);
    }

    fn press(&mut self, key: KeyCode) -> bool {
        match key {
            KeyCode::Char('q') => return true,
            KeyCode::Char('p') => self.is_paused = !self.is_paused,
            KeyCode::Char('d') => self.has_diagram = !self.has_diagram,
            KeyCode::Enter | KeyCode::Right | KeyCode::Char(' ') => self.wants_next = true,
            _ => (),
        }
        false
    }

    fn refresh(&mut self) -> Result<Option<String>, (Exit, String)> {
        if self.wants_next || (!self.is_paused && self.shown_since.elapsed() >= PACE) {
            self.wants_next = false;
            self.proceed()?;
        }
        if let Some(live) = &self.live {
            self.now = live.look(&self.now).map_err(|line| (Exit::System, line))?;
        }
        Ok(None)
    }

    fn pace(&self) -> Duration {
        Duration::from_millis(200)
    }
}

impl ExperimentPicture {
    fn draw_end(&self, side: Side, area: Rect, frame: &mut Frame<'_>) {
        let end = &self.now[side as usize];
        let block = Block::bordered().title(format!(" {side} {} ", end.address));
        let bold = color(Taken::One(side)).add_modifier(Modifier::BOLD);
        let lines = vec![
            Line::from(Span::styled(end.state.name(), bold)),
            Line::from(format!("recv-q {}  send-q {}", end.recv_queue, end.send_queue)),
            Line::from(format!("timer: {}", end.timer())),
            Line::from(format!("held by: {}", end.holders())),
            Line::from(diagram::path_text(&self.moments, side)),
        ];
        frame.render_widget(Paragraph::new(lines).wrap(Wrap { trim: true }).block(block), area);
    }

    /// What has happened, the last at the bottom, and what it means.
    fn draw_story(&self, area: Rect, frame: &mut Frame<'_>) {
        let width = usize::from(area.width);
        let mut lines = Vec::new();
        for (number, moment) in self.moments.iter().enumerate() {
            let is_last = number + 1 == self.moments.len();
            let style = if is_last { Style::new().add_modifier(Modifier::BOLD) } else { Style::new() };
            for (number, text) in wrapped(&moment.action, width.saturating_sub(12)).into_iter().enumerate() {
                let time = if number == 0 { format!("{:>6} ms", moment.ms) } else { String::new() };
                let mark = if is_last && number == 0 { "▶" } else { " " };
                lines.push(Line::from(format!("{time:<9} {mark} {text}")).style(style));
            }
        }
        let explanation = self.moments.last().map(|moment| wrapped(&moment.explanation, width.saturating_sub(12)));
        lines.extend(explanation.into_iter().flatten().map(|text| Line::from(format!("{:12}{text}", ""))));
        // What does not fit is the past.
        let hidden = lines.len().saturating_sub(area.height.into());
        frame.render_widget(Paragraph::new(lines.split_off(hidden)), area);
    }

    fn draw_diagram(&self, area: Rect, frame: &mut Frame<'_>) {
        let lines = diagram::lines(&self.moments).into_iter().map(|line| {
            let spans = line.into_iter().map(|piece| Span::styled(piece.text, color(piece.taken)));
            Line::from(spans.collect::<Vec<_>>())
        });
        frame.render_widget(Paragraph::new(lines.collect::<Vec<_>>()), area);
    }
}

fn color(taken: Taken) -> Style {
    match taken {
        Taken::Neither => Style::new(),
        Taken::One(Side::Client) => Style::new().fg(Color::Cyan),
        Taken::One(Side::Server) => Style::new().fg(Color::Yellow),
        Taken::Both => Style::new().fg(Color::Green),
    }
}

#[cfg(test)]
mod tests {
    use super::ExperimentPicture;
    use crate::tcp_states::experiment::plan::{First, How, Peer, Plan};
    use crate::tcp_states::experiment::{ExperimentOptions, last_picture, moment::Moment};
    use crate::tcp_states::screen::tests::draw_on_all_sizes;
    use crate::tcp_states::screen::{Picture as _, text};
    use ratatui::crossterm::event::KeyCode;

    fn picture(explain: bool) -> ExperimentPicture {
        let plan = Plan { first: First::Both, how: How::Close, peer: Peer::Slow, ipv6: false };
        last_picture(&ExperimentOptions { plan, explain, step: false }).unwrap_or_else(|(_, line)| panic!("{line}"))
    }

    #[test]
    fn both_ends_and_the_story_are_shown_and_the_diagram_where_it_fits() {
        let mut picture = picture(true);
        let large = text(&mut picture, "132x36".parse().expect("a size"));
        for part in [
            "echo-net tcp-states --first both --peer slow",
            "┌ client 127.0.0.1:",
            "┌ server 127.0.0.1:",
            "▶ the server reads",
            "FIN-WAIT-1 cs",
            "OVER  q quit",
        ] {
            assert!(large.contains(part), "{part} is not in\n{large}");
        }
        let small = text(&mut picture, "60x20".parse().expect("a size"));
        assert!(
            small.contains("TIME-WAIT") && small.contains("▶ the server reads") && !small.contains("cs"),
            "{small}"
        );
        assert!(!picture.press(KeyCode::Char('d')), "the diagram is hidden");
        assert!(!text(&mut picture, "132x36".parse().expect("a size")).contains("FIN-WAIT-1 cs"));
        assert!(picture.press(KeyCode::Char('q')));
    }

    #[test]
    fn every_size_is_drawn() {
        for explain in [true, false] {
            draw_on_all_sizes(&mut picture(explain));
        }
    }

    #[test]
    fn an_experiment_without_moments_has_no_picture() {
        let plan = Plan { first: First::Both, how: How::Close, peer: Peer::Slow, ipv6: false };
        assert!(ExperimentPicture::over(plan, Vec::<Moment>::new(), false).is_none());
    }
}
