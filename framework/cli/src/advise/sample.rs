//! Requests of a file: an access log, or one path a line. Pure but for the reading.

use crate::Error;
use std::path::Path;

/// More requests than this are left out: as many as a server counts before it begins anew.
const MOST: usize = 100_000;

/// The paths, with their queries, that were read by `GET`.
///
/// # Errors
/// Where the file cannot be read.
pub(super) fn read(file: &Path) -> Result<Vec<String>, Error> {
    let text = std::fs::read(file).map_err(Error::file("reading", file))?;
    Ok(paths(&String::from_utf8_lossy(&text)))
}

fn paths(text: &str) -> Vec<String> {
    text.lines().filter_map(path).take(MOST).map(str::to_owned).collect()
}

/// The path of a line: the request in quotation marks of a log in common or combined format, or the line itself where it
/// begins with a slash. What is no `GET`, and Tropos's own endpoints, are left out.
fn path(line: &str) -> Option<&str> {
    let line = line.trim();
    let target = match line.starts_with('/') {
        true => line,
        false => {
            let request = line.split('"').nth(1)?;
            let mut words = request.split(' ');
            let (method, target) = (words.next()?, words.next()?);
            (method == "GET").then_some(target)?
        }
    };
    let good = target.starts_with('/') && !target.starts_with("/_tropos/") && !target.contains([' ', '#']);
    good.then_some(target)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_logs_and_plain_paths_are_read_and_others_left_out() {
        for (line, expected) in [
            ("/a?b=c", Some("/a?b=c")),
            ("  /a \r", Some("/a")),
            (
                r#"127.0.0.1 - frank [10/Oct/2000:13:55:36 -0700] "GET /a/b?c=d HTTP/1.0" 200 2326"#,
                Some("/a/b?c=d"),
            ),
            (
                r#"::1 - - [10/Oct/2000:13:55:36 -0700] "GET /a HTTP/1.1" 304 0 "http://x.example/" "Mozilla \"x\"""#,
                Some("/a"),
            ),
            (r#"::1 - - [10/Oct/2000:13:55:36 -0700] "POST /a HTTP/1.1" 200 1"#, None),
            (r#"::1 - - [10/Oct/2000:13:55:36 -0700] "GET http://proxied.example/ HTTP/1.1" 200 1"#, None),
            (r#"::1 - - [10/Oct/2000:13:55:36 -0700] "\x16\x03" 400 1"#, None),
            ("/_tropos/assets/x.js", None),
            ("# a comment", None),
            ("", None),
        ] {
            assert_eq!(path(line), expected, "{line}");
        }
        assert_eq!(paths("/a\n\n/b\nx\n"), ["/a", "/b"]);
        assert_eq!(paths(&"/a\n".repeat(MOST + 1)).len(), MOST);
    }
}
