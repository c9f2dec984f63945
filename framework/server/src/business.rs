//! Figures of the application's own trade: how many orders, how much revenue.
//!
//! They may be told anywhere: in a server function, a page, a handler of the API, or what one of these has spawned by
//! [`spawn`]. The route and the experiments of the request are attached. See the guide on business figures.
//!
//! Within a database transaction a figure counts after the commit, and not at all after a roll-back.

use crate::page::PageCx;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::task::JoinHandle;
use tracing::Instrument as _;
use tropos_cache::Scope;
use tropos_core::Clock;
use tropos_telemetry::{
    business::{Attached, Figures, Refused},
    trace::Attribute,
};

/// Counts what has happened: `count("orders", 1)`. The name is a word of `a-z`, `0-9`, `_` and `.`.
///
/// ```no_run
/// # async fn f() {
/// tropos_server::business::count("orders", 1);
/// tropos_server::business::value("revenue", 1999, "EUR"); // 19.99 euros
/// # }
/// ```
pub fn count(name: &'static str, number: u64) {
    told(Figure { name, amount: Amount::Number(number) });
}

/// Adds an amount of money, in the currency's smallest unit: `value("revenue", 1999, "EUR")` is 19.99 euros, and
/// `value("revenue", 1999, "JPY")` 1999 yen. Whole numbers, so that sums are exact.
///
/// What is paid back is told as a negative amount. It is summed up apart, as `tropos.business.value.refunded`: a sum that
/// falls would be taken for a restart.
pub fn value(name: &'static str, minor: i64, currency: &'static str) {
    told(Figure { name, amount: Amount::Money(minor, currency) });
}

/// Runs a task that belongs to the request: figures, errors and spans in it carry the request's route, experiments and trace,
/// which what is spawned by Tokio alone does not know.
pub fn spawn<F>(future: F) -> JoinHandle<F::Output>
where
    F: Future<Output: Send> + Send + 'static,
{
    match (Scope::current(), PageCx::current()) {
        (Some(scope), Some(cx)) => tokio::spawn(scope.wrap(cx.scope(future)).in_current_span()),
        (Some(scope), None) => tokio::spawn(scope.wrap(future).in_current_span()),
        (None, Some(cx)) => tokio::spawn(cx.scope(future).in_current_span()),
        (None, None) => tokio::spawn(future.in_current_span()),
    }
}

#[derive(Clone, Copy)]
struct Figure {
    name: &'static str,
    amount: Amount,
}

#[derive(Clone, Copy)]
enum Amount {
    Number(u64),
    Money(i64, &'static str),
}

/// Where figures go that are told outside of any request: to the application that was opened last.
static LAST: Mutex<Option<Arc<Figures>>> = Mutex::new(None);

/// The figures of an application.
pub(crate) fn open(clock: Arc<dyn Clock>) -> Arc<Figures> {
    let figures = Arc::new(Figures::new(clock));
    *LAST.lock().unwrap_or_else(PoisonError::into_inner) = Some(figures.clone());
    figures
}

fn told(figure: Figure) {
    let (scope, cx) = (Scope::current(), PageCx::current());
    let last = || LAST.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let Some(figures) = cx.as_ref().and_then(|cx| cx.figures().cloned()).or_else(last) else { return };
    let attached = Attached {
        route: scope.as_ref().and_then(Scope::route).unwrap_or_default().to_owned(),
        experiments: cx.map(|cx| cx.experiments()).unwrap_or_default(),
    };
    let trace = tropos_telemetry::trace::current();
    let add = move || match figure.add(&figures, &attached) {
        Ok(()) => {
            if let Some(trace) = trace {
                trace.event(figure.name, figure.attributes());
            }
        }
        Err(refused) => tracing::warn!(%refused, "a figure was not counted"),
    };
    match scope {
        Some(scope) => {
            if let Err(error) = scope.after_commit(add) {
                tracing::warn!(name = figure.name, %error, "a figure was not counted");
            }
        }
        None => add(),
    }
}

impl Figure {
    fn add(self, figures: &Figures, attached: &Attached) -> Result<(), Refused> {
        match self.amount {
            Amount::Number(number) => figures.count(self.name, number, attached),
            Amount::Money(minor, currency) => figures.value(self.name, minor, currency, attached),
        }
    }

    /// What stands on the event in the span of the request.
    fn attributes(self) -> Vec<Attribute> {
        match self.amount {
            Amount::Number(number) => {
                vec![("tropos.business.number", i64::try_from(number).unwrap_or(i64::MAX).into())]
            }
            Amount::Money(minor, currency) => {
                vec![("tropos.business.minor", minor.into()), ("tropos.business.currency", currency.into())]
            }
        }
    }
}
