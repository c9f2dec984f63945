//! Business figures beside latency by what the cache did.

use super::{
    super::facts::trade::{Hour, Minute},
    frame::{Set, table},
    words,
};
use crate::Site;
use leptos::prelude::*;
use tropos_telemetry::business::Series;

/// Names that have a column in the table of minutes; the others have their hour alone.
const MOST_COLUMNS: usize = 4;

pub(super) fn view(site: &Site) -> AnyView {
    let hour = Hour::of(site);
    let figures = hour.figures.iter().map(hour_row);
    let latency = hour.by_result.iter().map(|(result, times)| {
        view! {
            <tr>
                <th scope="row">{*result}</th>
                <td class="n">{words::number(times.count() as u64)}</td>
                <td class="n">{words::maybe(times.percentile(0.5))}</td>
                <td class="n">{words::maybe(times.percentile(0.95))}</td>
                <td class="n">{words::maybe(times.percentile(0.99))}</td>
            </tr>
        }
        .into_any()
    });
    let minutes = hour.minutes.iter().map(|minute| minute_row(&hour, minute));
    let figure_columns = [("Figure", Set::Text), ("Last hour", Set::Number), ("By minute", Set::Text)];
    let latency_columns = [
        ("Cache", Set::Text),
        ("Requests", Set::Number),
        ("p50", Set::Number),
        ("p95", Set::Number),
        ("p99", Set::Number),
    ];
    view! {
        {table("figures", "The last hour", &figure_columns, figures.collect(), "Nothing has been counted: call business::count or business::value where something happens that the business lives on.")}
        {table("latency", "Latency by what the cache did", &latency_columns, latency.collect(), "No request is kept.")}
        {minute_table(&hour, minutes.collect())}
        <p class="quiet">"Figures are exact, and what was given back is taken off. Latency is that of the traces that are kept, the last thousand at most: under much traffic these are of the last minutes or seconds."</p>
    }
    .into_any()
}

fn hour_row(series: &Series) -> AnyView {
    let sum: i128 = series.minutes.iter().map(|minute| minute.amount).sum();
    let most = series.minutes.iter().map(|minute| minute.amount).max().unwrap_or_default().max(1) as f64;
    let bars: Vec<_> = series
        .minutes
        .iter()
        .map(|minute| {
            let height = format!("height:{:.0}%", (minute.amount.max(0) as f64 / most * 100.0).min(100.0));
            view! { <i style=height></i> }
        })
        .collect();
    view! {
        <tr>
            <th scope="row">{series.name.clone()}</th>
            <td class="n">{amount(series, sum)}</td>
            <td><span class="spark" aria-hidden="true">{bars}</span></td>
        </tr>
    }
    .into_any()
}

fn amount(series: &Series, amount: i128) -> String {
    match series.currency {
        Some(currency) => format!("{} {currency}", currency.decimal(amount)),
        None => amount.to_string(),
    }
}

fn minute_table(hour: &Hour, rows: Vec<AnyView>) -> AnyView {
    let figures = hour.figures.iter().take(MOST_COLUMNS).map(|series| series.name.clone());
    let results = hour.by_result.iter().map(|(result, _)| format!("{result} p95"));
    let heads: Vec<_> =
        figures.chain(results).map(|name| view! { <th scope="col" class="n">{name}</th> }).collect();
    if rows.is_empty() {
        return ().into_any();
    }
    view! {
        <section id="minutes">
            <div class="scroll" role="region" aria-label="Minute by minute" tabindex="0">
                <table>
                    <caption>"Minute by minute"</caption>
                    <thead><tr><th scope="col">"Minute (UTC)"</th>{heads}</tr></thead>
                    <tbody>{rows}</tbody>
                </table>
            </div>
        </section>
    }
    .into_any()
}

fn minute_row(hour: &Hour, minute: &Minute) -> AnyView {
    let amounts = hour.figures.iter().take(MOST_COLUMNS).zip(&minute.amounts);
    let amounts: Vec<_> =
        amounts.map(|(series, sum)| view! { <td class="n">{amount(series, *sum)}</td> }).collect();
    let times: Vec<_> = minute
        .times
        .iter()
        .map(|times| {
            let count = (times.count() > 0)
                .then(|| view! { " "<span class="quiet">{format!("({})", times.count())}</span> });
            view! { <td class="n">{words::maybe(times.percentile(0.95))}{count}</td> }
        })
        .collect();
    view! { <tr><th scope="row" class="t">{words::clock_of_minute(minute.number)}</th>{amounts}{times}</tr> }
        .into_any()
}
