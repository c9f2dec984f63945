//! Colours, phases, and numbers for people.

use crate::Error;
use std::{
    fmt::Display,
    io::{IsTerminal as _, Write as _},
    sync::OnceLock,
    sync::{Mutex, PoisonError},
    time::Duration,
};
use tropos_core::{Clock as _, SystemClock};

/// How a piece of text looks, where colours are shown at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Look {
    #[default]
    Plain,
    Bold,
    Dim,
    Red,
    Green,
    Yellow,
    Magenta,
    Cyan,
}

impl Look {
    /// The text with the codes that make it look so.
    pub(crate) fn paint(self, text: &str, color: bool) -> String {
        let code = match self {
            Look::Plain => return text.to_owned(),
            Look::Bold => 1,
            Look::Dim => 2,
            Look::Red => 31,
            Look::Green => 32,
            Look::Yellow => 33,
            Look::Magenta => 35,
            Look::Cyan => 36,
        };
        if color { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
    }
}

/// When colours are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub(crate) enum Color {
    // No line of its own for each in `--help`: what they mean is said there once.
    #[default]
    Auto,
    Always,
    Never,
}

impl Color {
    /// As cargo and clap have it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Always => "always",
            Self::Never => "never",
        }
    }

    /// `--color` goes before `NO_COLOR` (<https://no-color.org>: set to anything but nothing), and that before the terminal.
    fn shows(self, no_color: bool, is_terminal: bool) -> bool {
        match self {
            Self::Always => true,
            Self::Never => false,
            Self::Auto => !no_color && is_terminal,
        }
    }
}

impl From<Color> for clap::ColorChoice {
    fn from(color: Color) -> Self {
        match color {
            Color::Auto => Self::Auto,
            Color::Always => Self::Always,
            Color::Never => Self::Never,
        }
    }
}

/// What cargo is told, where something was said.
static CHOSEN: OnceLock<Color> = OnceLock::new();

/// What was said of colours on the command line.
pub(crate) fn chosen() -> Option<Color> {
    CHOSEN.get().copied().filter(|color| *color != Color::Auto)
}

/// Where messages go: progress to standard error, results to standard output.
pub(crate) struct Terminal {
    clock: SystemClock,
    /// Whether standard error shows colours.
    pub(crate) color: bool,
    /// Whether standard output shows colours.
    pub(crate) color_out: bool,
    /// The phases that are over, with the time each took.
    phases: Mutex<Vec<(&'static str, Duration)>>,
}

impl Terminal {
    /// Colours as they are wanted.
    pub(crate) fn detect(color: Color) -> Self {
        let _ = CHOSEN.set(color);
        let none = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        Self {
            clock: SystemClock::new(),
            color: color.shows(none, std::io::stderr().is_terminal()),
            color_out: color.shows(none, std::io::stdout().is_terminal()),
            phases: Mutex::default(),
        }
    }

    /// Runs a part of the work and notes how long it took; several may run side by side.
    pub(crate) fn phase<T>(
        &self,
        name: &'static str,
        what: &str,
        work: impl FnOnce(&Self) -> Result<T, Error>,
    ) -> Result<T, Error> {
        self.line(&format!("{} {}", Look::Bold.paint(&format!("{name:>12}"), self.color), what));
        let start = self.clock.now();
        let result = work(self)?;
        let span = self.clock.now().since(start);
        self.phases.lock().unwrap_or_else(PoisonError::into_inner).push((name, span));
        Ok(result)
    }

    /// The phases that are over, in the order in which they ended.
    pub(crate) fn phases(&self) -> Vec<(&'static str, Duration)> {
        self.phases.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Something that a person should know and that does not stop the work.
    pub(crate) fn note(&self, text: impl Display) {
        self.line(&format!("{} {text}", Look::Yellow.paint(&format!("{:>12}", "note"), self.color)));
    }

    /// The last line of a command that failed.
    pub(crate) fn error(&self, error: &Error) {
        self.line(&format!("{} {error}", Look::Red.paint("error:", self.color)));
    }

    /// A line that is part of the ordinary course.
    pub(crate) fn note_plain(&self, name: &str, text: &str) {
        self.line(&format!("{} {text}", Look::Bold.paint(&format!("{name:>12}"), self.color)));
    }

    fn line(&self, text: &str) {
        say(text);
    }

    /// The time since the command started.
    pub(crate) fn elapsed(&self) -> Duration {
        Duration::from_millis(u64::try_from(self.clock.now().0).unwrap_or(0))
    }
}

/// The line at the bottom that is drawn over itself.
static PROGRESS: Mutex<Option<String>> = Mutex::new(None);

/// A line on standard error, above what shows the progress.
pub(crate) fn say(text: &str) {
    let progress = PROGRESS.lock().unwrap_or_else(PoisonError::into_inner);
    let mut out = std::io::stderr().lock();
    // A closed pipe is no reason to stop building.
    let _ = match progress.as_deref() {
        Some(progress) => write!(out, "\r\u{1b}[K{text}\n{progress}"),
        None => writeln!(out, "{text}"),
    };
}

/// Whether standard error is a terminal, on which a line can be drawn over itself.
pub(crate) fn draws() -> bool {
    std::io::stderr().is_terminal() && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
}

/// Draws the line that shows the progress, or takes it away.
pub(crate) fn progress(text: Option<&str>) {
    if !draws() {
        return;
    }
    let mut progress = PROGRESS.lock().unwrap_or_else(PoisonError::into_inner);
    if text.is_some() || progress.is_some() {
        let _ = write!(std::io::stderr().lock(), "\r\u{1b}[K{}", text.unwrap_or_default());
    }
    *progress = text.map(str::to_owned);
}

/// Prints a result.
pub(crate) fn print(text: &str) {
    let _ = std::io::stdout().lock().write_all(text.as_bytes());
}

/// `812 B`, `12.3 kB`, `4.0 MB`, `47.2 GB`: decimal units, as browsers' tools show them.
pub(crate) fn bytes(count: u64) -> String {
    match count {
        0..1_000 => format!("{count} B"),
        1_000..999_950 => format!("{}.{} kB", (count + 50) / 1_000, (count + 50) / 100 % 10),
        999_950..999_950_000 => {
            format!("{}.{} MB", (count + 50_000) / 1_000_000, (count + 50_000) / 100_000 % 10)
        }
        _ => {
            let tenths = count / 100_000_000 + u64::from(count % 100_000_000 >= 50_000_000);
            format!("{}.{} GB", tenths / 10, tenths % 10)
        }
    }
}

/// `+1.2 kB`, `−300 B`.
pub(crate) fn change(by: i64) -> String {
    format!("{}{}", if by < 0 { "−" } else { "+" }, bytes(by.unsigned_abs()))
}

/// `0.4 s`, `59.9 s`, `3 min 14 s`.
pub(crate) fn seconds(span: Duration) -> String {
    let tenths = (span.as_millis() + 50) / 100;
    if tenths < 600 {
        format!("{}.{} s", tenths / 10, tenths % 10)
    } else {
        let whole = (tenths + 5) / 10;
        format!("{} min {} s", whole / 60, whole % 60)
    }
}

/// `5,012`.
pub(crate) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_as_people_write_them() {
        for (number, text) in [
            (0, "0 B"),
            (999, "999 B"),
            (1_000, "1.0 kB"),
            (1_949, "1.9 kB"),
            (1_950, "2.0 kB"),
            (63_240, "63.2 kB"),
            (999_949, "999.9 kB"),
            (999_950, "1.0 MB"),
            (12_340_000, "12.3 MB"),
            (999_949_999, "999.9 MB"),
            (999_950_000, "1.0 GB"),
            (u64::MAX, "18446744073.7 GB"),
        ] {
            assert_eq!(bytes(number), text, "{number}");
        }
        for (number, text) in [(0, "0"), (999, "999"), (1_000, "1,000"), (1_234_567, "1,234,567")] {
            assert_eq!(count(number), text);
        }
        for (ms, text) in
            [(0, "0.0 s"), (449, "0.4 s"), (59_949, "59.9 s"), (59_950, "1 min 0 s"), (194_000, "3 min 14 s")]
        {
            assert_eq!(seconds(Duration::from_millis(ms)), text, "{ms}");
        }
    }

    #[test]
    fn what_was_said_goes_before_the_environment_and_that_before_the_terminal() {
        for (color, no_color, is_terminal, shows) in [
            (Color::Auto, false, true, true),
            (Color::Auto, false, false, false),
            (Color::Auto, true, true, false),
            (Color::Always, true, false, true),
            (Color::Never, false, true, false),
        ] {
            assert_eq!(color.shows(no_color, is_terminal), shows, "{color:?} {no_color} {is_terminal}");
        }
    }

    #[test]
    fn without_colour_nothing_but_the_text_is_printed() {
        assert_eq!(Look::Red.paint("x", false), "x");
        assert_eq!(Look::Red.paint("x", true), "\u{1b}[31mx\u{1b}[0m");
    }
}
