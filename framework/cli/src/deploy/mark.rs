//! Telling a file that was changed from one that was not: it carries a checksum of the rest of itself.

/// By what the line is known.
const CHECKSUM: &str = "checksum ";

/// The length of a checksum in hexadecimal digits: enough to notice a change, and nobody forges it to lose their own work.
const DIGITS: usize = 16;

/// Puts the line in the place of `placeholder`: who wrote the file, and the checksum.
pub(super) fn sign(text: &str, placeholder: &str, by: &str) -> String {
    let holder = text.lines().find(|line| line.contains(placeholder)).unwrap_or_default();
    // Within a line it is a part of some text; alone it is a comment.
    let comment = if holder == placeholder { "# " } else { "" };
    let line = |sum: &str| {
        format!("{comment}Written by `{by}`; {CHECKSUM}{sum}. A file that was changed is not overwritten.")
    };
    let sum = checksum(&text.replacen(holder, "", 1));
    text.replacen(placeholder, &line(&sum), 1)
}

/// Whether a text is as [`sign`] left it.
pub(super) fn is_untouched(text: &str) -> bool {
    let Some((line, said)) = text.lines().take(3).find_map(|line| {
        let (_, after) = line.split_once(CHECKSUM)?;
        Some((line, after.get(..DIGITS)?))
    }) else {
        return false;
    };
    checksum(&text.replacen(line, "", 1)) == said
}

fn checksum(text: &str) -> String {
    blake3::hash(text.as_bytes()).to_hex().chars().take(DIGITS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_anywhere_but_in_the_line_itself_is_seen() {
        let text = sign("# syntax\n@\nFROM x\n", "@", "cargo tropos deploy container");
        assert!(
            text.starts_with("# syntax\n# Written by `cargo tropos deploy container`; checksum "),
            "{text}"
        );
        assert!(is_untouched(&text));
        for changed in [text.replace("FROM x", "FROM y"), format!("{text}\n"), text.replace("# syntax\n", "")]
        {
            assert!(!is_untouched(&changed), "{changed}");
        }
        let json = sign("{\n  \"description\": \"@ A.\",\n  \"a\": 1\n}\n", "@", "x");
        assert!(json.contains("\"description\": \"Written by `x`; checksum "), "{json}");
        assert!(is_untouched(&json) && !is_untouched(&json.replace('1', "2")));
        assert!(!is_untouched("FROM x\n"));
        assert!(!is_untouched(""));
    }
}
