//! Names that change with the content, so that browsers may keep a file for ever.

/// Hex digits of a content hash in a file name or build id: 64 bits, far beyond what the files of one site need.
const HEX: usize = 16;

/// The first 16 hex digits of a BLAKE3 hash.
pub(crate) fn short(hash: &blake3::Hash) -> String {
    let hex = hash.to_hex();
    hex.get(..HEX).unwrap_or_default().to_owned()
}

/// The hash that goes into the name of a file with this content.
pub(crate) fn content(bytes: &[u8]) -> String {
    short(&blake3::hash(bytes))
}

/// `fonts/text.woff2` with the hash before its last extension. Characters that an address would have to escape become
/// `-`.
pub(crate) fn hashed(name: &str, hash: &str) -> String {
    let safe: String = name.chars().map(|c| if is_plain(c) || c == '/' { c } else { '-' }).collect();
    let (directory, file) = match safe.rsplit_once('/') {
        Some((directory, file)) => (format!("{directory}/"), file),
        None => (String::new(), safe.as_str()),
    };
    match file.rsplit_once('.') {
        Some((stem, extension)) if !stem.is_empty() => format!("{directory}{stem}.{hash}.{extension}"),
        _ => format!("{directory}{file}.{hash}"),
    }
}

fn is_plain(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-')
}

/// The last extension, in lower case; empty where there is none.
pub(crate) fn extension(name: &str) -> String {
    let file = name.rsplit('/').next().unwrap_or(name);
    file.rsplit_once('.').map(|(_, extension)| extension.to_ascii_lowercase()).unwrap_or_default()
}

/// Whether the world expects the file under its plain name, at the root of the site.
pub(crate) fn belongs_at_root(name: &str) -> bool {
    name.starts_with(".well-known/")
        || name == "robots.txt"
        || (name.starts_with("favicon.") && !name.contains('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_stands_before_the_last_extension() {
        for (name, expected) in [
            ("style.css", "style.H.css"),
            ("fonts/text.woff2", "fonts/text.H.woff2"),
            ("a.min.js", "a.min.H.js"),
            ("LICENSE", "LICENSE.H"),
            ("a.b/LICENSE", "a.b/LICENSE.H"),
            ("my photo#1.jpg", "my-photo-1.H.jpg"),
            ("größe.svg", "gr--e.H.svg"),
            (".well-known/security.txt", ".well-known/security.H.txt"),
            (".well-known/.x", ".well-known/.x.H"),
        ] {
            assert_eq!(hashed(name, "H"), expected, "{name}");
        }
    }

    #[test]
    fn the_hash_is_sixteen_hex_digits_of_the_content() {
        assert_eq!(content(b""), "af1349b9f5f9a1a6");
        assert_ne!(content(b"a"), content(b"b"));
    }

    #[test]
    fn well_known_files_keep_a_plain_name_at_the_root_alone() {
        for (name, expected) in [
            ("favicon.svg", true),
            ("favicon.ico", true),
            ("robots.txt", true),
            (".well-known/security.txt", true),
            ("icons/favicon.ico", false),
            ("favicons.svg", false),
            ("a/robots.txt", false),
            ("style.css", false),
        ] {
            assert_eq!(belongs_at_root(name), expected, "{name}");
        }
    }
}
