//! The `Cookie` header taken apart, as RFC 6265 §5.4 has browsers write it.

/// Names and values of the cookies in one line, as they were sent.
///
/// ```
/// let pairs: Vec<_> = tropos_edge::request::cookie_pairs("a=1; b=x=y;c; d=").collect();
/// assert_eq!(pairs, [("a", "1"), ("b", "x=y"), ("d", "")]);
/// ```
pub fn pairs(line: &str) -> impl Iterator<Item = (&str, &str)> {
    line.split(';').filter_map(|pair| pair.trim().split_once('='))
}
