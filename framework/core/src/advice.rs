//! What the mode advisor says, as a server says it and as people read it.
//!
//! The server fills an [`Advice`] and sends it as JSON; `cargo tropos advise` shows it as text. Plain data here, and
//! nothing that decides.

use serde::{Deserialize, Serialize};
use std::fmt;

/// What the routes of an application have answered, and which of them are declared in a mode that does not suit them.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Advice {
    /// Where the application answers, as `127.0.0.1:3000`.
    pub application: String,
    /// All routes, in the order of their declaration.
    pub routes: Vec<RouteSeen>,
    /// What is to be said.
    pub findings: Vec<Finding>,
}

/// What was seen of a route.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RouteSeen {
    /// The page function.
    pub name: String,
    /// Its path.
    pub pattern: String,
    /// `ssg`, `isr`, `server` or `live`.
    pub mode: String,
    /// Answers that were counted.
    pub answers: u64,
    /// Visitors with different cookies among them, those without any as one.
    pub visitors: u64,
    /// Whether that is enough to judge the route by.
    pub enough: bool,
}

/// A route whose mode does not suit it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// What was found.
    pub rule: Rule,
    /// The page function.
    pub name: String,
    /// Its path.
    pub pattern: String,
    /// `isr` or `server`.
    pub mode: String,
    /// Where the page is written.
    pub source: String,
    /// What was seen.
    pub reason: String,
    /// What to do.
    pub advice: String,
    /// What that would save, where it can be said.
    pub saving: Option<Saving>,
}

/// What can be found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Rule {
    /// A `server` page reads nothing of its requests.
    ReadsNothing,
    /// A `server` page reads its requests, and answers all of them alike.
    SameForAll,
    /// An `isr` page is always found stale or expired: it is asked for more rarely than it is renewed.
    TooShort,
    /// An `isr` page is always found invalidated.
    AlwaysInvalidated,
    /// An `isr` page is never asked for twice under one address.
    NeverTwice,
    /// An `isr` page has been driven out of the store each time that it is asked for again.
    DrivenOut,
    /// What an `isr` page makes is never stored.
    NeverStored,
}

/// What a change would save.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Saving {
    /// The share of renders, in percent.
    pub renders_percent: u64,
    /// What one of them takes, in microseconds.
    pub us_each: u64,
    /// Time of renders a day at the present rate, in milliseconds; none where too little was seen to know the rate.
    pub ms_a_day: Option<u64>,
    /// Queries a day at the present rate; none where that is not known, or queries are not counted.
    pub queries_a_day: Option<u64>,
}

impl fmt::Display for Advice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for finding in &self.findings {
            writeln!(f, "{finding}")?;
        }
        let judged = self.routes.iter().filter(|route| route.enough).count();
        let others = routes(self.routes.len() - judged);
        if judged == 0 {
            return writeln!(f, "Nothing to say yet: no route has been asked for often enough.");
        }
        match self.findings.len() {
            0 => writeln!(f, "Judged {}: each is in a mode that suits what was seen.", routes(judged))?,
            1 => writeln!(f, "Judged {}: 1 should be declared otherwise.", routes(judged))?,
            found => writeln!(f, "Judged {}: {found} should be declared otherwise.", routes(judged))?,
        }
        if self.routes.len() > judged {
            writeln!(f, "Not judged, since too rarely asked for or made by the build alone: {others}.")?;
        }
        Ok(())
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} {}, {} ({})", self.name, self.pattern, self.mode, self.source)?;
        let mut line = |name: &str, text: &dyn fmt::Display| writeln!(f, "  {name:<13} {text}");
        line("seen", &self.reason)?;
        line("advice", &self.advice)?;
        match &self.saving {
            Some(saving) => line("would save", saving),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Saving {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tenths = (self.us_each + 50) / 100;
        write!(f, "{} % of the renders, of {}.{} ms each", self.renders_percent, tenths / 10, tenths % 10)?;
        if let Some(ms) = self.ms_a_day {
            write!(f, "; at the present rate {} a day", span(ms))?;
        }
        match self.queries_a_day {
            Some(queries) if queries > 0 => write!(f, " and {queries} queries"),
            _ => Ok(()),
        }
    }
}

fn routes(count: usize) -> String {
    match count {
        1 => "1 route".to_owned(),
        count => format!("{count} routes"),
    }
}

/// A time as people say it.
fn span(ms: u64) -> String {
    match ms {
        0..10_000 => format!("{ms} ms"),
        10_000..600_000 => format!("{} s", ms / 1_000),
        600_000..36_000_000 => format!("{} min", ms / 60_000),
        _ => format!("{} h", ms / 3_600_000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(answers: u64) -> RouteSeen {
        RouteSeen {
            name: "Terms".into(),
            pattern: "/terms".into(),
            mode: "server".into(),
            answers,
            visitors: 2,
            enough: answers >= 20,
        }
    }

    #[test]
    fn reads_as_people_would_say_it() {
        let finding = Finding {
            rule: Rule::ReadsNothing,
            name: "Terms".into(),
            pattern: "/terms".into(),
            mode: "server".into(),
            source: "src/pages.rs:12".into(),
            reason: "nothing of the request was read".into(),
            advice: "declare it `isr`".into(),
            saving: Some(Saving {
                renders_percent: 98,
                us_each: 4_260,
                ms_a_day: Some(91_000),
                queries_a_day: Some(1_200),
            }),
        };
        let mut advice =
            Advice { application: String::new(), routes: vec![seen(40), seen(3)], findings: vec![finding] };
        assert_eq!(
            advice.to_string(),
            "Terms /terms, server (src/pages.rs:12)\n  \
             seen          nothing of the request was read\n  \
             advice        declare it `isr`\n  \
             would save    98 % of the renders, of 4.3 ms each; at the present rate 91 s a day and 1200 queries\n\n\
             Judged 1 route: 1 should be declared otherwise.\n\
             Not judged, since too rarely asked for or made by the build alone: 1 route.\n"
        );
        advice.findings.clear();
        assert!(advice.to_string().starts_with("Judged 1 route: each is in a mode that suits"));
        advice.routes.clear();
        assert!(advice.to_string().starts_with("Nothing to say yet"));
    }
}
