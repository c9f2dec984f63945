//! The reference of spans says what the table of names says.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use tropos_telemetry::names::spans::markdown;

const BEGIN: &str = "<!-- spans: written by `cargo run -p tropos-telemetry --example spans_reference` -->\n";
const END: &str = "<!-- end of spans -->";

#[test]
fn the_reference_has_all_spans_as_they_are_declared() {
    let page = include_str!("../../../docs/reference/telemetry.md");
    let (_, rest) = page.split_once(BEGIN).unwrap();
    let (section, _) = rest.split_once(END).unwrap();
    assert_eq!(
        section.trim(),
        markdown().trim(),
        "paste what `cargo run -p tropos-telemetry --example spans_reference` prints between the marks"
    );
}
