//! Which route is declared in a mode that does not suit it.
//!
//! | module | holds |
//! |---|---|
//! | `counts` | what was seen of each route: bounded, whatever comes |
//! | `judge` | what that means, as pure functions |

mod counts;
mod judge;

pub(crate) use counts::{Counts, Sample};

use crate::Site;
use judge::{Declared, judge};
use tropos_core::advice::{Advice, RouteSeen};

/// What there is to say of an application now.
pub(crate) fn of(site: &Site) -> Advice {
    let mut advice = Advice { application: site.config.addr.to_string(), ..Advice::default() };
    let Some(watch) = &site.watch else { return advice };
    for page in site.table.all() {
        let route = &page.route;
        let declared = Declared {
            name: route.name(),
            pattern: route.pattern(),
            mode: route.mode(),
            ages: route.ages(),
            source: format!("{}:{}", route.spec.file, route.spec.line),
            // Without them a query is counted only where the layer collects it.
            counts_queries: watch.ring.is_some(),
        };
        watch.counts.look(route.pattern(), |seen| {
            advice.routes.push(RouteSeen {
                name: declared.name.to_owned(),
                pattern: declared.pattern.to_owned(),
                mode: declared.mode.as_str().to_owned(),
                answers: seen.answers,
                visitors: seen.visitors(),
                enough: judge::is_enough(&declared, seen),
            });
            advice.findings.extend(judge(&declared, seen));
        });
    }
    advice
}
