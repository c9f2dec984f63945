//! The reference of metrics says what the table of names says.

use tropos_telemetry::names::metrics::reference;

const BEGIN: &str =
    "<!-- metrics: written by `cargo run -p tropos-telemetry --example metrics_reference` -->\n";
const END: &str = "<!-- end of metrics -->";

#[test]
fn the_reference_has_all_metrics_as_they_are_declared() {
    let page = include_str!("../../../docs/reference/telemetry.md");
    let (_, rest) = page.split_once(BEGIN).expect("the first mark");
    let (section, _) = rest.split_once(END).expect("the second mark");
    assert_eq!(
        section.trim(),
        reference().trim(),
        "paste what `cargo run -p tropos-telemetry --example metrics_reference` prints between the marks"
    );
}
