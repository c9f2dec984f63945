//! The cases, one file a section.

use crate::{check::Outcome, context::Context};
use std::{future::Future, pin::Pin};

mod assets_and_islands;
mod database;
mod database_faults;
mod database_replicas;
mod fetches;
mod hooks;
mod hostile;
mod instances;
mod instances_chaos;
mod instances_failover;
mod instances_faults;
mod instances_full;
mod invalidation;
mod invalidation_http;
mod live;
mod pages_and_ages;
mod requests;
mod responses;
mod restart;
mod streaming;
mod warm_and_drafts;

/// What a case does.
pub type Run = fn(Context) -> Pin<Box<dyn Future<Output = Outcome> + Send>>;

/// One fact that must hold.
#[derive(Debug)]
pub struct Case {
    /// Its number in the list of cases that must hold, if it has one.
    pub number: Option<u8>,
    /// The fact.
    pub name: &'static str,
    /// Whether it disturbs others: it invalidates what they use.
    pub alone: bool,
    /// Tries it.
    pub run: Run,
}

impl Case {
    /// Number and name, for people.
    pub fn title(&self) -> String {
        match self.number {
            Some(number) => format!("{number:>3}  {}", self.name),
            None => format!("  -  {}", self.name),
        }
    }

    /// Whether one of the filters is its number or a part of its name; without filters always.
    pub fn matches(&self, filters: &[String]) -> bool {
        let number = self.number.map(|number| number.to_string());
        filters.is_empty()
            || filters.iter().any(|f| number.as_ref() == Some(f) || self.name.contains(f.as_str()))
    }
}

/// A table of cases: `number "fact" => function`, with `-` for no number and `alone` for those that disturb others.
macro_rules! cases {
    ($($number:tt $name:literal => $function:ident $($alone:ident)?;)*) => {
        pub(super) static CASES: &[crate::cases::Case] = &[$(crate::cases::Case {
            number: cases!(@number $number),
            name: $name,
            alone: cases!(@alone $($alone)?),
            run: |context| Box::pin($function(context)),
        }),*];
    };
    (@number -) => { None };
    (@number $number:literal) => { Some($number) };
    (@alone) => { false };
    (@alone alone) => { true };
}
use cases;

/// All cases, in the order of the list.
pub fn all() -> impl Iterator<Item = &'static Case> {
    [
        pages_and_ages::CASES,
        responses::CASES,
        requests::CASES,
        streaming::CASES,
        invalidation::CASES,
        invalidation_http::CASES,
        restart::CASES,
        instances::CASES,
        instances_faults::CASES,
        instances_failover::CASES,
        instances_full::CASES,
        instances_chaos::CASES,
        database::CASES,
        database_replicas::CASES,
        database_faults::CASES,
        fetches::CASES,
        hooks::CASES,
        hostile::CASES,
        live::CASES,
        assets_and_islands::CASES,
        warm_and_drafts::CASES,
    ]
    .into_iter()
    .flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn every_case_has_a_name_of_its_own_and_each_required_number_is_covered() {
        let names: HashSet<_> = all().map(|case| case.name).collect();
        assert_eq!(names.len(), all().count());
        let numbers: HashSet<_> = all().filter_map(|case| case.number).collect();
        let required = [
            1, 2, 3, 4, 5, 6, 7, 9, 10, 11, 12, 13, 15, 16, 17, 18, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30,
            33, 34, 35, 36, 40, 43,
        ];
        for number in required.into_iter().chain([45, 46, 50, 52, 53, 54, 61, 63, 68, 71, 75]) {
            assert!(numbers.contains(&number), "case {number}");
        }
    }

    #[test]
    fn a_filter_is_a_number_or_a_part_of_the_name() {
        let case =
            Case { number: Some(2), name: "a page", alone: false, run: |_| Box::pin(async { Ok(()) }) };
        let matches =
            |filters: &[&str]| case.matches(&filters.iter().map(ToString::to_string).collect::<Vec<_>>());
        assert!(matches(&[]) && matches(&["2"]) && matches(&["x", "page"]));
        assert!(!matches(&["12"]) && !matches(&["pages"]));
    }
}
