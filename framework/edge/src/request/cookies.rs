//! The `Cookie` header taken apart, as RFC 6265 §5.4 has browsers write it.

/// Names and values of the cookies in one line, without the blanks and quotation marks around them. Hooks and pages read
/// cookies as this has them: were there two ways to read one, a guard could see another cookie than the page behind it.
///
/// ```
/// let pairs: Vec<_> = tropos_edge::request::cookie_pairs(r#"a=1; b=x=y;c; d=; e ="1""#).collect();
/// assert_eq!(pairs, [("a", "1"), ("b", "x=y"), ("d", ""), ("e", "1")]);
/// ```
pub fn pairs(line: &str) -> impl Iterator<Item = (&str, &str)> {
    let pairs = line.split(';').filter_map(|pair| pair.split_once('='));
    pairs.map(|(name, value)| (name.trim(), value.trim().trim_matches('"')))
}

/// The first value of a name, as [`pairs`] has it, in a line that is text. Asked by hooks for each hit: a line of ASCII, as
/// nearly all are, is taken apart without a look at what else may be a blank.
pub(super) fn value<'l>(line: &'l [u8], name: &str) -> Option<&'l str> {
    if !line.is_ascii() {
        let line = std::str::from_utf8(line).ok()?;
        return pairs(line).find(|(known, _)| *known == name).map(|(_, value)| value);
    }
    let found = line.split(|byte| *byte == b';').find_map(|pair| {
        let at = pair.iter().position(|byte| *byte == b'=')?;
        let (known, value) = pair.split_at_checked(at)?;
        (trimmed(known) == name.as_bytes()).then_some(value)
    })?;
    let value = trimmed(found.get(1..)?);
    std::str::from_utf8(value).ok().map(|value| value.trim_matches('"'))
}

/// Without the blanks of ASCII around it, those that `str::trim` takes away.
fn trimmed(text: &[u8]) -> &[u8] {
    let is_blank = |byte: &u8| matches!(byte, b'\t'..=b'\r' | b' ');
    let start = text.iter().position(|byte| !is_blank(byte)).unwrap_or(text.len());
    let end = text.iter().rposition(|byte| !is_blank(byte)).map_or(start, |last| last + 1);
    text.get(start..end).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_value_is_found_as_all_pairs_have_it() {
        for line in [
            r#"a=1; b=x=y;c; d=; e ="1""#,
            " a = 1 ;\x0ba\x0c=2",
            "a\x1f=1; \x1fa=2; =a; a",
            "a=\"\" \"; b=\"; c= \"x\" ",
            "\u{a0}a=1; b=\u{a0}2\u{a0}",
            "aa=1; a=2; a=3; \u{e9}=4",
            "",
            ";;=;",
        ] {
            for name in ["a", "b", "c", "d", "e", "", "\u{e9}", "a=1", " a"] {
                let all = pairs(line).find(|(known, _)| *known == name).map(|(_, value)| value);
                assert_eq!(value(line.as_bytes(), name), all, "{line:?} {name:?}");
            }
        }
        assert_eq!(value(b"a=\xff", "a"), None);
    }

    proptest::proptest! {
        #[test]
        fn one_value_is_found_in_any_line_as_all_pairs_have_it(
            line in "[ab=;\" \\t\\x0b\\x1f\u{a0}\u{e9}]{0,24}",
            name in "[ab\" \u{e9}]{0,2}",
        ) {
            let all = pairs(&line).find(|(known, _)| *known == name).map(|(_, value)| value);
            proptest::prop_assert_eq!(value(line.as_bytes(), &name), all);
        }
    }
}
