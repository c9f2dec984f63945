//! `Server-Timing`: what an answer took until its head, for the browser's tools. Pure.

/// Sorts of work, and what they are called in the header.
const SHOWN: [(&str, &str); 6] = [
    ("hooks", "hooks"),
    ("cache lookup", "lookup"),
    ("cache wait", "wait"),
    ("render", "render"),
    ("query", "db"),
    ("fetch", "fetch"),
];

/// The value of the header. Work that ran at once is added up, so a part may be longer than the whole.
pub(super) fn text(
    total_nanos: u64,
    sums: &[(&'static str, u64, u32)],
    cache_status: Option<&str>,
) -> String {
    let mut text = format!("total;dur={}", millis(total_nanos));
    // `Cache-Status` (RFC 9211) has semicolons, which are something else here: within quotation marks they are not.
    if let Some(status) = cache_status.filter(|status| !status.contains(['"', '\\'])) {
        let said = status.split_once(';').map_or(status, |(_, said)| said).trim();
        text.push_str(&format!(", cache;desc=\"{said}\""));
    }
    for (sort, name) in SHOWN {
        let Some((_, nanos, count)) = sums.iter().find(|(known, ..)| *known == sort) else { continue };
        text.push_str(&format!(", {name};dur={}", millis(*nanos)));
        if *count > 1 {
            text.push_str(&format!(";desc=\"{count}\""));
        }
    }
    text
}

/// With two digits behind the point.
fn millis(nanos: u64) -> f64 {
    (nanos as f64 / 10_000.0).round() / 100.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_sort_of_work_is_named_with_its_time_and_number() {
        let sums = [("query", 3_456_000, 2), ("render", 10_000_000, 1), ("cached function", 5, 1)];
        assert_eq!(
            text(12_340_000, &sums, Some("tropos; fwd=uri-miss; stored")),
            "total;dur=12.34, cache;desc=\"fwd=uri-miss; stored\", render;dur=10, db;dur=3.46;desc=\"2\""
        );
        assert_eq!(text(0, &[], None), "total;dur=0");
    }
}
