//! A family as a strip, from its lightest colour to its darkest.

use crate::data::products::Swatch;
use tropos::prelude::*;

/// A strip of `steps` colours, each the one nearest to the middle of its part of the family.
#[component]
pub fn Spectrum(
    /// All colours of a family, from the lightest to the darkest.
    swatches: Vec<Swatch>,
    steps: usize,
) -> impl IntoView {
    view! { <span class="spectrum" style=gradient(&swatches, steps)></span> }
}

fn gradient(swatches: &[Swatch], steps: usize) -> String {
    let stops = (0..steps).filter_map(|step| {
        let part = swatches.get(step * swatches.len() / steps..(step + 1) * swatches.len() / steps)?;
        let [from, to] = [step, step + 1].map(|at| thousandths(at * 100_000 / steps));
        Some(format!("{} {from}% {to}%", middle(part)?))
    });
    let stops: Vec<_> = stops.collect();
    format!("--s:linear-gradient(90deg,{})", stops.join(","))
}

/// The colour nearest to the middle.
fn middle(part: &[Swatch]) -> Option<&str> {
    let count = i64::try_from(part.len()).ok().filter(|count| *count > 0)?;
    let a = part.iter().map(|(_, a, _)| a).sum::<i64>() / count;
    let b = part.iter().map(|(_, _, b)| b).sum::<i64>() / count;
    let nearest = part.iter().min_by_key(|(_, x, y)| (x - a).pow(2) + (y - b).pow(2));
    nearest.map(|(hex, ..)| hex.as_str())
}

/// `3.125` for 3125, without zeros at the end.
fn thousandths(number: usize) -> String {
    let text = format!("{}.{:03}", number / 1000, number % 1000);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_strip_is_made_of_the_middle_of_each_part() {
        let swatch = |hex: &str, a| (hex.to_owned(), a, 0);
        let swatches = [swatch("#1", 0), swatch("#2", 10), swatch("#3", 30), swatch("#4", 50)];
        assert_eq!(gradient(&swatches, 2), "--s:linear-gradient(90deg,#1 0% 50%,#3 50% 100%)");
        assert_eq!([thousandths(3125), thousandths(100_000)], ["3.125", "100"]);
    }
}
