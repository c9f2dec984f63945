//! What runs in the browser. Two ES modules without dependencies; what they do, and what a page may rely on, stands at
//! the head of each.

/// The client of a live page's stream: applies what arrives to the open page.
///
/// A page loads it with `<script type="module" src="…">` and names its stream with
/// `<meta name="tropos-live" content="URL">`.
pub const LIVE_JS: &str = include_str!("scripts/live.js");

/// The loader of islands: starts the wasm module and hydrates each `leptos-island`; before it, what reports errors of the
/// page to its server.
///
/// A page loads it with `<script type="module" src="…" data-tropos-islands data-script="…" data-wasm="…">`.
pub const ISLANDS_JS: &str = concat!(include_str!("scripts/errors.js"), include_str!("scripts/islands.js"));

/// A script without its comment lines and indentation. Nothing else is touched, so it is safe for any script whose
/// strings end on the line on which they begin.
///
/// ```
/// assert_eq!(tropos_live::scripts::slim("// why\nif (a) {\n  b() // c\n}\n"), "if (a) {\nb() // c\n}\n");
/// ```
pub fn slim(script: &str) -> String {
    let lines = script.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with("//"));
    lines.flat_map(|line| [line, "\n"]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scripts_may_be_slimmed() {
        for script in [LIVE_JS, ISLANDS_JS] {
            for line in script.lines() {
                assert!(line.matches('`').count() % 2 == 0, "a string over more than one line: {line}");
                assert!(!line.contains("/*"), "a comment that `slim` does not know: {line}");
            }
            let slim = slim(script);
            assert!(!slim.contains("\n//") && slim.len() < script.len());
        }
    }

    #[test]
    fn the_scripts_stay_small() {
        assert!(slim(LIVE_JS).len() < 12 << 10, "{}", slim(LIVE_JS).len());
        assert!(slim(ISLANDS_JS).len() < 4 << 10, "{}", slim(ISLANDS_JS).len());
    }
}
