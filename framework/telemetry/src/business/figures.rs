//! The sums since the start, and what may be a name.

use super::{
    Currency,
    minutes::{Minutes, Series},
};
use crate::{metrics::Observed, names::metrics as names};
use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tropos_core::Clock;

/// Sums under different labels at most; what is beyond goes to one whose labels are [`OTHER`]. With ten names that is a
/// hundred combinations of route and variant for each, and about 200 KiB.
const MOST_SUMS: usize = 1_000;

/// In place of labels where there would be too many.
const OTHER: &str = "_OTHER";

/// The longest name.
const LONGEST_NAME: usize = 64;

/// To what a figure belongs: the request in which it arose.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Attached {
    /// The route, as `/products/:id`, or the address of a server function; empty outside of a request.
    pub route: String,
    /// The experiments that the visitor takes part in, with the variant shown.
    pub experiments: Vec<(String, String)>,
}

impl Attached {
    /// Both labels: names of experiments, and their variants in the same order, each joined by commas. One figure is in one
    /// sum alone, so that adding the sums up is right however many experiments run.
    fn labels(&self) -> (String, String) {
        let mut sorted: Vec<_> = self.experiments.iter().collect();
        sorted.sort();
        sorted.dedup_by(|one, other| one.0 == other.0);
        let join = |part: fn(&(String, String)) -> &str| {
            sorted.iter().map(|pair| part(pair)).collect::<Vec<_>>().join(",")
        };
        (join(|pair| &pair.0), join(|pair| &pair.1))
    }
}

/// Why a figure was not counted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refused {
    /// The name cannot be a label that somebody will type.
    #[error(
        "`{0}` is no name of a figure: write a word of a-z, 0-9, `_`, `.`, such as `orders`, at most 64 letters long"
    )]
    Name(String),
    /// The currency is none.
    #[error("`{0}` is no currency: write its three letters, such as `EUR`")]
    Currency(String),
}

/// The labels of a sum.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Labels {
    name: String,
    currency: Option<Currency>,
    route: String,
    experiment: String,
    variant: String,
}

/// Both only grow, so that a rate of each is right after a restart, too.
#[derive(Debug, Clone, Copy, Default)]
struct Both {
    taken: u128,
    given_back: u128,
}

/// The sums since the start, and the last hour of each name.
pub struct Figures {
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    sums: BTreeMap<Labels, Both>,
    minutes: Minutes,
}

/// One sum, with its labels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sum {
    /// The name, such as `orders`.
    pub name: String,
    /// The currency; `None` of what is counted.
    pub currency: Option<Currency>,
    /// The route.
    pub route: String,
    /// The experiments, joined by commas; empty where the visitor was in none.
    pub experiment: String,
    /// The variants shown, in the same order.
    pub variant: String,
    /// How many, or how many of the currency's smallest units.
    pub amount: u128,
}

/// All sums.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Totals {
    /// What was counted.
    pub events: Vec<Sum>,
    /// What was taken, in smallest units.
    pub values: Vec<Sum>,
    /// What was given back, in smallest units: the negative amounts, without their sign.
    pub refunds: Vec<Sum>,
}

impl Figures {
    /// Nothing yet; minutes are those of `clock`'s wall.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, state: Mutex::default() }
    }

    /// Counts `number` of `name`.
    ///
    /// # Errors
    /// [`Refused::Name`]; nothing is counted then.
    pub fn count(&self, name: &str, number: u64, attached: &Attached) -> Result<(), Refused> {
        self.add(name, None, i128::from(number), attached)
    }

    /// Adds an amount in the currency's smallest unit (cents). A negative one is given back: it is kept apart.
    ///
    /// # Errors
    /// [`Refused`]; nothing is added then.
    pub fn value(&self, name: &str, minor: i64, currency: &str, attached: &Attached) -> Result<(), Refused> {
        let currency = currency.parse().map_err(|()| Refused::Currency(shown(currency)))?;
        self.add(name, Some(currency), i128::from(minor), attached)
    }

    fn add(
        &self,
        name: &str,
        currency: Option<Currency>,
        amount: i128,
        to: &Attached,
    ) -> Result<(), Refused> {
        if !is_name(name) {
            return Err(Refused::Name(shown(name)));
        }
        let (experiment, variant) = to.labels();
        let mut labels =
            Labels { name: name.to_owned(), currency, route: to.route.clone(), experiment, variant };
        let minute = self.clock.wall() / 60_000;
        let mut state = self.lock();
        if state.sums.len() >= MOST_SUMS && !state.sums.contains_key(&labels) {
            labels = overflown(labels, &state.sums);
        }
        let both = state.sums.entry(labels).or_default();
        let part = if amount < 0 { &mut both.given_back } else { &mut both.taken };
        *part = part.saturating_add(amount.unsigned_abs());
        state.minutes.add(name, currency, minute, amount);
        Ok(())
    }

    /// All sums since the start.
    pub fn totals(&self) -> Totals {
        let state = self.lock();
        let sum = |labels: &Labels, amount| Sum {
            name: labels.name.clone(),
            currency: labels.currency,
            route: labels.route.clone(),
            experiment: labels.experiment.clone(),
            variant: labels.variant.clone(),
            amount,
        };
        let of_money = |labels: &&Labels| labels.currency.is_some();
        let values = || state.sums.iter().filter(|(labels, _)| of_money(labels));
        Totals {
            events: state
                .sums
                .iter()
                .filter(|(labels, _)| !of_money(labels))
                .map(|(labels, both)| sum(labels, both.taken))
                .collect(),
            values: values().map(|(labels, both)| sum(labels, both.taken)).collect(),
            refunds: values()
                .filter(|(_, both)| both.given_back > 0)
                .map(|(labels, both)| sum(labels, both.given_back))
                .collect(),
        }
    }

    /// All sums as metrics. Amounts become decimals here: exact up to 15 digits.
    pub fn observe(&self, observed: &mut Observed) {
        let Totals { events, values, refunds } = self.totals();
        for sum in events {
            let labels = [&*sum.name, &*sum.experiment, &*sum.variant, &*sum.route];
            observed.put(&names::BUSINESS_EVENTS, &labels, sum.amount as f64);
        }
        for (metric, sums) in [(&names::BUSINESS_VALUE, values), (&names::BUSINESS_REFUNDED, refunds)] {
            for sum in sums {
                let currency = sum.currency.as_ref().map_or("", Currency::as_str);
                let digits = sum.currency.as_ref().map_or(0, Currency::digits);
                let labels = [&*sum.name, currency, &*sum.experiment, &*sum.variant, &*sum.route];
                observed.put(metric, &labels, sum.amount as f64 / f64::from(10_u32.pow(digits)));
            }
        }
    }

    /// The last 60 minutes of each name, the oldest first; the running one is the last, and not whole yet.
    pub fn last_hour(&self) -> Vec<Series> {
        let minute = self.clock.wall() / 60_000;
        self.lock().minutes.last_hour(minute)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Where there is no room for these labels: the same name without them, else one for all.
fn overflown(labels: Labels, sums: &BTreeMap<Labels, Both>) -> Labels {
    let other = || OTHER.to_owned();
    let of_name = Labels { route: other(), experiment: other(), variant: other(), ..labels };
    // As many names again have room for a sum without labels; more names than that share one.
    if sums.len() < 2 * MOST_SUMS || sums.contains_key(&of_name) {
        return of_name;
    }
    Labels { name: other(), ..of_name }
}

/// A word of small letters, digits, `_` and `.`, which begins with a letter.
fn is_name(name: &str) -> bool {
    let mut bytes = name.bytes();
    name.len() <= LONGEST_NAME
        && bytes.next().is_some_and(|first| first.is_ascii_lowercase())
        && bytes.all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'_' | b'.'))
}

/// What was written, for a message.
fn shown(text: &str) -> String {
    text.chars().take(LONGEST_NAME).collect()
}

impl fmt::Debug for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Figures").field("sums", &self.lock().sums.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use tropos_core::ManualClock;

    fn attached(route: &str, experiments: &[(&str, &str)]) -> Attached {
        let experiments = experiments.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Attached { route: route.to_owned(), experiments: experiments.collect() }
    }

    fn figures() -> Figures {
        Figures::new(Arc::new(ManualClock::new()))
    }

    #[test]
    fn a_figure_has_the_route_and_the_variants_of_its_request() {
        let figures = figures();
        let basket = attached("/basket", &[("price", "low"), ("button", "bold")]);
        figures.count("orders", 2, &basket).unwrap();
        figures.count("orders", 1, &basket).unwrap();
        figures.count("orders", 1, &Attached::default()).unwrap();
        let events = figures.totals().events;
        let found: Vec<_> = events
            .iter()
            .map(|sum| (sum.route.as_str(), sum.experiment.as_str(), sum.variant.as_str(), sum.amount))
            .collect();
        assert_eq!(found, [("", "", "", 1), ("/basket", "button,price", "bold,low", 3)]);
    }

    #[test]
    fn metrics_have_the_sums_in_whole_units() {
        let figures = Arc::new(figures());
        let basket = attached("/basket", &[("button", "bold")]);
        figures.count("orders", 2, &basket).unwrap();
        figures.value("revenue", 1999, "EUR", &basket).unwrap();
        figures.value("revenue", -500, "EUR", &basket).unwrap();
        let registry = crate::metrics::Registry::new();
        registry.observe(move |observed| figures.observe(observed));
        let text = crate::metrics::text(&registry.snapshot(), &[]);
        let labels = "tropos_experiment=\"button\",tropos_variant=\"bold\",http_route=\"/basket\"";
        for line in [
            format!("tropos_business_events_total{{tropos_business_name=\"orders\",{labels}}} 2\n"),
            format!(
                "tropos_business_value_total{{tropos_business_name=\"revenue\",tropos_business_currency=\"EUR\",{labels}}} 19.99\n"
            ),
            format!(
                "tropos_business_value_refunded_total{{tropos_business_name=\"revenue\",tropos_business_currency=\"EUR\",{labels}}} 5\n"
            ),
        ] {
            assert!(text.contains(&line), "{line} in {text}");
        }
    }

    #[test]
    fn what_is_given_back_takes_nothing_from_what_was_taken() {
        let figures = figures();
        let basket = attached("/basket", &[]);
        for minor in [1999, -500, 1, -1] {
            figures.value("revenue", minor, "EUR", &basket).unwrap();
        }
        let totals = figures.totals();
        assert_eq!((totals.values[0].amount, totals.refunds[0].amount), (2000, 501));
        assert!(totals.events.is_empty());
        let hour = figures.last_hour();
        assert_eq!(hour[0].minutes.last().map(|minute| (minute.count, minute.amount)), Some((4, 1499)));
    }

    #[test]
    fn what_is_no_name_or_no_currency_is_refused() {
        let figures = figures();
        for wrong in ["", "Orders", "order s", "1st", "é", "a\"b", &"a".repeat(65)] {
            assert!(
                matches!(figures.count(wrong, 1, &Attached::default()), Err(Refused::Name(_))),
                "{wrong}"
            );
        }
        let euro = figures.value("revenue", 1, "euro", &Attached::default());
        assert_eq!(euro, Err(Refused::Currency("euro".to_owned())));
        assert_eq!(figures.totals(), Totals::default());
    }

    #[test]
    fn endless_labels_and_names_are_bounded_and_nothing_is_lost() {
        let figures = figures();
        for number in 0..5_000 {
            figures.count("orders", 1, &attached(&format!("/{number}"), &[])).unwrap();
        }
        for number in 0..5_000 {
            figures.count(&format!("n{number}"), 1, &Attached::default()).unwrap();
        }
        let events = figures.totals().events;
        assert!(events.len() <= 2 * MOST_SUMS + 1, "{}", events.len());
        assert_eq!(events.iter().map(|sum| sum.amount).sum::<u128>(), 10_000);
        let other = events.iter().find(|sum| sum.name == "orders" && sum.route == OTHER).unwrap();
        assert_eq!(other.amount, 4_000);
        assert!(figures.last_hour().len() <= 64);
    }

    proptest! {
        /// Sums are exact, in whatever order amounts come.
        #[test]
        fn sums_are_exact(amounts in prop::collection::vec(any::<i64>(), 0..50)) {
            let figures = figures();
            for amount in &amounts {
                figures.value("revenue", *amount, "JPY", &Attached::default()).unwrap();
            }
            let totals = figures.totals();
            let sum = |sums: &[Sum]| sums.iter().map(|sum| i128::try_from(sum.amount).unwrap()).sum::<i128>();
            let exact: i128 = amounts.iter().map(|amount| i128::from(*amount)).sum();
            prop_assert_eq!(sum(&totals.values) - sum(&totals.refunds), exact);
        }
    }
}
