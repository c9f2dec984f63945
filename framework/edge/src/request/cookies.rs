//! The `Cookie` header taken apart, as RFC 6265 §5.4 has browsers write it.

/// Names and values of the cookies in one line, without the blanks and quotation marks around them. Hooks and pages read
/// cookies by this alone: were there two ways to read one, a guard could see another cookie than the page behind it.
///
/// ```
/// let pairs: Vec<_> = tropos_edge::request::cookie_pairs(r#"a=1; b=x=y;c; d=; e ="1""#).collect();
/// assert_eq!(pairs, [("a", "1"), ("b", "x=y"), ("d", ""), ("e", "1")]);
/// ```
pub fn pairs(line: &str) -> impl Iterator<Item = (&str, &str)> {
    let pairs = line.split(';').filter_map(|pair| pair.split_once('='));
    pairs.map(|(name, value)| (name.trim(), value.trim().trim_matches('"')))
}
