//! Prints the tables of spans for `docs/reference/telemetry.md`, between its two marks.

#![allow(clippy::print_stdout, reason = "it prints")]

fn main() {
    print!("{}", tropos_telemetry::names::spans::markdown());
}
