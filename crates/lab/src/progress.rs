//! Progress of long work: a bar with the time left on a terminal, now and then a plain line elsewhere.

use std::fmt;
use std::io::{self, Write};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};

/// Between two plain lines at the least.
const EVERY: Duration = Duration::from_secs(10);
const BAR: &str = "{msg}  {bar:30}  {human_pos}/{human_len}  {percent} %  {pace}";
const SPINNER: &str = "{msg}  {spinner}  {human_pos}  {pace}  {elapsed}";

/// Work of so many pieces. Threads share it; when it goes, the bar goes, and a last plain line says what was done.
pub struct Progress {
    shown: Shown,
}

enum Shown {
    Bar(ProgressBar),
    Lines(Mutex<Lines>),
    Nothing,
}

impl Progress {
    /// For so many pieces, of which `done` are there already from an earlier run: that is said.
    #[must_use]
    pub fn resumed(what: &str, pieces: u64, done: u64) -> Self {
        let progress = Self::on_terminal_or(what, Some(pieces), done, || Box::new(io::stderr()));
        progress.say_kept(what, pieces, done);
        progress
    }

    fn say_kept(&self, what: &str, pieces: u64, done: u64) {
        if done > 0 {
            self.say(&format!("{what}: {done} of {pieces} are kept from an earlier run"));
        }
    }

    /// For so many pieces.
    #[must_use]
    pub fn new(what: &str, pieces: u64) -> Self {
        Self::resumed(what, pieces, 0)
    }

    /// For work without a known end, such as a live camera.
    #[must_use]
    pub fn endless(what: &str) -> Self {
        Self::on_terminal_or(what, None, 0, || Box::new(io::stderr()))
    }

    /// Shows nothing.
    #[must_use]
    pub fn hidden() -> Self {
        Self { shown: Shown::Nothing }
    }

    /// Plain lines to `out`, as they go to standard error when that is no terminal.
    fn lines(what: &str, pieces: Option<u64>, done: u64, out: Box<dyn Write + Send>) -> Self {
        let now = Instant::now();
        let lines = Lines { what: what.to_owned(), pieces, already: done, done, started: now, told: now, out };
        Self { shown: Shown::Lines(Mutex::new(lines)) }
    }

    fn on_terminal_or(what: &str, pieces: Option<u64>, done: u64, out: fn() -> Box<dyn Write + Send>) -> Self {
        let target = ProgressDrawTarget::stderr();
        if target.is_hidden() {
            return Self::lines(what, pieces, done, out());
        }
        let bar = ProgressBar::with_draw_target(pieces, target).with_message(what.to_owned()).with_position(done);
        let template = if pieces.is_some() { BAR } else { SPINNER };
        if let Ok(style) = ProgressStyle::with_template(template) {
            // The library's own figures take the pieces from before for pieces of now.
            let pace = move |state: &ProgressState, text: &mut dyn fmt::Write| {
                // A text of its own cannot fail to be written.
                let new = state.pos().saturating_sub(done);
                text.write_str(&pace(new, state.elapsed(), left(pieces, state.pos()))).ok();
            };
            bar.set_style(style.with_key("pace", pace));
        }
        bar.enable_steady_tick(Duration::from_millis(120));
        Self { shown: Shown::Bar(bar) }
    }

    /// So many more pieces are done.
    pub fn advance(&self, pieces: u64) {
        match &self.shown {
            Shown::Bar(bar) => bar.inc(pieces),
            Shown::Lines(lines) => locked(lines).advance(pieces, Instant::now()),
            Shown::Nothing => {}
        }
    }

    /// Calls the work something else from now on, such as with a count of what was found.
    pub fn rename(&self, what: &str) {
        match &self.shown {
            Shown::Bar(bar) => bar.set_message(what.to_owned()),
            Shown::Lines(lines) => what.clone_into(&mut locked(lines).what),
            Shown::Nothing => {}
        }
    }

    /// Shows a line of its own, such as a file that was skipped.
    pub fn say(&self, text: &str) {
        match &self.shown {
            Shown::Bar(bar) => bar.println(text),
            Shown::Lines(lines) => locked(lines).print(text),
            Shown::Nothing => {}
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        match &self.shown {
            Shown::Bar(bar) => bar.finish_and_clear(),
            Shown::Lines(lines) => locked(lines).last(Instant::now()),
            Shown::Nothing => {}
        }
    }
}

/// A thread that panicked while it printed has not harmed the counts.
fn locked(lines: &Mutex<Lines>) -> MutexGuard<'_, Lines> {
    lines.lock().unwrap_or_else(PoisonError::into_inner)
}

struct Lines {
    what: String,
    pieces: Option<u64>,
    already: u64,
    done: u64,
    started: Instant,
    told: Instant,
    out: Box<dyn Write + Send>,
}

impl Lines {
    fn advance(&mut self, pieces: u64, now: Instant) {
        self.done = self.done.saturating_add(pieces);
        if now.saturating_duration_since(self.told) >= EVERY {
            self.told = now;
            let line = self.line(now);
            self.print(&line);
        }
    }

    /// Such as `embedding: 1200 of 5749, 21 %, 34.0 a second, 2 min 14 s left`.
    fn line(&self, now: Instant) -> String {
        let counted = match self.pieces {
            Some(pieces) => {
                let percent = self.done.saturating_mul(100) / pieces.max(1);
                format!("{}: {} of {pieces}, {} %", self.what, self.done, percent.min(100))
            }
            None => format!("{}: {}", self.what, self.done),
        };
        let new = self.done.saturating_sub(self.already);
        let pace = pace(new, now.saturating_duration_since(self.started), left(self.pieces, self.done));
        if pace.is_empty() { counted } else { format!("{counted}, {pace}") }
    }

    fn last(&mut self, now: Instant) {
        let took = span(now.saturating_duration_since(self.started).as_secs_f64());
        let line = match self.pieces {
            Some(pieces) if self.done < pieces => {
                format!("{}: stopped at {} of {pieces} after {took}", self.what, self.done)
            }
            _ => format!("{}: {} done in {took}", self.what, self.done),
        };
        self.print(&line);
    }

    fn print(&mut self, text: &str) {
        // Nothing can be done about a reader that is gone.
        drop(writeln!(self.out, "{text}"));
    }
}

/// Pieces that are left, where their number is known.
fn left(pieces: Option<u64>, done: u64) -> Option<u64> {
    pieces.map(|pieces| pieces.saturating_sub(done))
}

/// Speed and time left, from the pieces of this run alone; nothing before the first piece.
fn pace(new: u64, took: Duration, left: Option<u64>) -> String {
    let rate = new as f64 / took.as_secs_f64();
    if new == 0 || !rate.is_finite() {
        return String::new();
    }
    let speed = format!("{rate:.1} a second");
    left.map_or(speed.clone(), |left| format!("{speed}, {} left", span(left as f64 / rate)))
}

/// Seconds in words.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "float to integer casts saturate")]
fn span(seconds: f64) -> String {
    let whole = seconds.round() as u64;
    match whole {
        0..=59 if seconds < 9.95 => format!("{seconds:.1} s"),
        0..=59 => format!("{whole} s"),
        60..=3_599 => format!("{} min {} s", whole / 60, whole % 60),
        _ => format!("{} h {} min", whole / 3_600, whole % 3_600 / 60),
    }
}

#[cfg(test)]
mod tests {
    use std::io::{self, Write};
    use std::sync::{Arc, Mutex};
    use std::time::{Duration, Instant};

    use super::{EVERY, Lines, Progress, span};

    #[derive(Clone, Default)]
    struct Paper(Arc<Mutex<Vec<u8>>>);

    impl Write for Paper {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Paper {
        fn text(&self) -> String {
            String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
        }
    }

    fn lines(pieces: Option<u64>, done: u64) -> (Lines, Paper, Instant) {
        let (paper, now) = (Paper::default(), Instant::now());
        let out = Box::new(paper.clone());
        let lines = Lines { what: "w".into(), pieces, already: done, done, started: now, told: now, out };
        (lines, paper, now)
    }

    #[test]
    fn lines_come_now_and_then_with_the_time_left() {
        let (mut lines, paper, start) = lines(Some(1_000), 0);
        lines.advance(10, start + EVERY / 2);
        assert_eq!(paper.text(), "");
        lines.advance(90, start + EVERY);
        lines.advance(1, start + EVERY + Duration::from_secs(1));
        assert_eq!(paper.text(), "w: 100 of 1000, 10 %, 10.0 a second, 1 min 30 s left\n");
    }

    #[test]
    fn what_was_there_before_does_not_count_for_the_speed() {
        let (mut lines, paper, start) = lines(Some(1_000), 900);
        lines.advance(50, start + EVERY);
        assert_eq!(paper.text(), "w: 950 of 1000, 95 %, 5.0 a second, 10 s left\n");
    }

    #[test]
    fn what_was_there_before_is_said() {
        for (done, text) in [(0, ""), (900, "w: 900 of 1000 are kept from an earlier run\n")] {
            let paper = Paper::default();
            let progress = Progress::lines("w", Some(1_000), done, Box::new(paper.clone()));
            progress.say_kept("w", 1_000, done);
            assert_eq!(paper.text(), text);
        }
    }

    #[test]
    fn without_an_end_there_is_no_time_left() {
        let (mut lines, paper, start) = lines(None, 0);
        lines.advance(240, start + EVERY);
        assert_eq!(paper.text(), "w: 240, 24.0 a second\n");
    }

    #[test]
    fn the_last_line_tells_done_from_stopped() {
        for (pieces, advance, text) in [(Some(5), 5, "w: 5 done in "), (Some(5), 3, "w: stopped at 3 of 5 after ")] {
            let paper = Paper::default();
            let progress = Progress::lines("w", pieces, 0, Box::new(paper.clone()));
            progress.advance(advance);
            drop(progress);
            assert!(paper.text().starts_with(text), "{}", paper.text());
        }
    }

    #[test]
    fn a_new_name_is_that_of_the_lines_to_come() {
        let paper = Paper::default();
        let progress = Progress::lines("frames", None, 0, Box::new(paper.clone()));
        progress.advance(2);
        progress.rename("frames, 3 faces");
        drop(progress);
        assert!(paper.text().starts_with("frames, 3 faces: 2 done in "), "{}", paper.text());
    }

    #[test]
    fn nothing_to_do_divides_by_nothing() {
        let (mut lines, paper, start) = lines(Some(0), 0);
        lines.advance(0, start + EVERY);
        assert_eq!(paper.text(), "w: 0 of 0, 0 %\n");
    }

    #[test]
    fn threads_share_it() {
        let paper = Paper::default();
        let progress = Progress::lines("w", Some(400), 0, Box::new(paper.clone()));
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..100).for_each(|_| progress.advance(1)));
            }
        });
        progress.say("skipped x");
        drop(progress);
        assert!(paper.text().starts_with("skipped x\nw: 400 done in "), "{}", paper.text());
    }

    #[test]
    fn spans_are_in_words() {
        assert_eq!([0.44, 9.96, 59.4, 61.0, 7_300.0].map(span), ["0.4 s", "10 s", "59 s", "1 min 1 s", "2 h 1 min"]);
        assert_eq!(span(f64::INFINITY).split(' ').nth(1), Some("h"));
    }
}
