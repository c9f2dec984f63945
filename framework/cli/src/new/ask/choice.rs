//! A question with a few answers, one of which is pointed at.

use crate::{Error, terminal::Look};
use console::{Key, Term};
use std::io;

/// A question, and what each answer stands for, is called, and means. The first one is pointed at to begin with.
#[derive(Debug)]
pub(super) struct Choice<T, const N: usize> {
    question: &'static str,
    answers: [(T, &'static str, &'static str); N],
    at: usize,
}

/// What a key does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Stay,
    Chosen,
    GaveUp,
}

impl<T: Copy, const N: usize> Choice<T, N> {
    pub(super) const fn new(question: &'static str, answers: [(T, &'static str, &'static str); N]) -> Self {
        const { assert!(N > 0, "a question has an answer") }
        Self { question, answers, at: 0 }
    }

    /// Asks at the terminal, and leaves question and answer there as one line.
    ///
    /// # Errors
    /// [`Error::GaveUp`] on ctrl-c, escape and `q`.
    pub(super) fn ask(mut self, color: bool) -> Result<T, Error> {
        let term = Term::stderr();
        let failed = |source| Error::Run { command: "the question".to_owned(), source };
        term.hide_cursor().map_err(failed)?;
        let step = self.converse(&term, color);
        // Whatever came of it, the cursor is the terminal's again.
        term.show_cursor().map_err(failed)?;
        match (step.map_err(failed)?, self.answers.get(self.at)) {
            (Step::Chosen, Some((value, ..))) => Ok(*value),
            _ => Err(Error::GaveUp),
        }
    }

    fn converse(&mut self, term: &Term, color: bool) -> io::Result<Step> {
        loop {
            let lines = self.lines(color);
            lines.iter().try_for_each(|line| term.write_line(line))?;
            let step = self.press(&term.read_key_raw()?);
            term.clear_last_lines(lines.len())?;
            if step != Step::Stay {
                term.write_line(&self.outcome(step, color))?;
                return Ok(step);
            }
        }
    }

    fn press(&mut self, key: &Key) -> Step {
        match key {
            Key::ArrowUp | Key::BackTab | Key::Char('k') => self.at = (self.at + N - 1) % N,
            Key::ArrowDown | Key::Tab | Key::Char('j') => self.at = (self.at + 1) % N,
            Key::Char(digit) if digit.is_ascii_digit() => {
                let number = digit.to_digit(10).unwrap_or_default() as usize;
                if (1..=N).contains(&number) {
                    self.at = number - 1;
                }
            }
            Key::Enter => return Step::Chosen,
            Key::CtrlC | Key::Escape | Key::Char('q') => return Step::GaveUp,
            _ => {}
        }
        Step::Stay
    }

    /// The question, and a line for each answer.
    fn lines(&self, color: bool) -> Vec<String> {
        let width = self.answers.iter().map(|(_, name, _)| name.len()).max().unwrap_or_default();
        let answer = |(at, (_, name, says)): (usize, &(T, &str, &str))| {
            let (mark, look) = if at == self.at { ("❯", Look::Cyan) } else { (" ", Look::Plain) };
            let name = look.paint(&format!("{mark} {name:width$}"), color);
            format!("  {name}  {}", Look::Dim.paint(says, color))
        };
        let question = format!("{}  {}", self.asked(color), Look::Dim.paint("arrows and enter", color));
        std::iter::once(question).chain(self.answers.iter().enumerate().map(answer)).collect()
    }

    /// What is left on the screen.
    fn outcome(&self, step: Step, color: bool) -> String {
        let name = match (step, self.answers.get(self.at)) {
            (Step::Chosen, Some((_, name, _))) => name,
            _ => "",
        };
        format!("{}  {}", self.asked(color), Look::Cyan.paint(name, color))
    }

    fn asked(&self, color: bool) -> String {
        format!("{} {}", Look::Green.paint("?", color), Look::Bold.paint(self.question, color))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn choice() -> Choice<char, 3> {
        Choice::new("Which?", [('a', "First", "one"), ('b', "Other", "two"), ('c', "Last", "three")])
    }

    #[test]
    fn keys_move_choose_and_give_up() {
        for (keys, at, last) in [
            (vec![Key::Enter], 0, Step::Chosen),
            (vec![Key::ArrowDown, Key::Enter], 1, Step::Chosen),
            (vec![Key::ArrowUp, Key::Enter], 2, Step::Chosen),
            (vec![Key::Tab, Key::Tab, Key::Tab, Key::Enter], 0, Step::Chosen),
            (vec![Key::Char('j'), Key::Char('k'), Key::Enter], 0, Step::Chosen),
            (vec![Key::Char('3'), Key::Char('9'), Key::Char('0'), Key::Enter], 2, Step::Chosen),
            (vec![Key::Char('x'), Key::Unknown], 0, Step::Stay),
            (vec![Key::ArrowDown, Key::CtrlC], 1, Step::GaveUp),
            (vec![Key::Escape], 0, Step::GaveUp),
        ] {
            let mut choice = choice();
            let steps: Vec<_> = keys.iter().map(|key| choice.press(key)).collect();
            assert_eq!((choice.at, steps.last()), (at, Some(&last)), "{keys:?}");
        }
    }

    #[test]
    fn the_answer_that_is_pointed_at_stands_out_without_colour_too() {
        let mut choice = choice();
        choice.press(&Key::ArrowDown);
        let lines = choice.lines(false);
        assert_eq!(
            lines,
            ["? Which?  arrows and enter", "    First  one", "  ❯ Other  two", "    Last   three"]
        );
        assert_eq!(choice.outcome(Step::Chosen, false), "? Which?  Other");
        assert!(choice.lines(true)[2].contains("\u{1b}[36m"));
    }
}
