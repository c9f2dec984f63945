//! Adding the client to a page on its way.

/// A head that is longer than this is not searched further: the tag then stands at the beginning.
const LONGEST_HEAD: usize = 128 << 10;

/// Elements whose text is no markup.
const RAW: [&[u8]; 3] = [b"script", b"style", b"title"];

/// Adds `tag` before `</head>`, else before `<body>`, else at the beginning, behind the doctype.
///
/// What precedes that place is held back until it is found; everything after it passes at once.
#[derive(Debug)]
pub(crate) struct Injector {
    tag: Option<String>,
    held: Vec<u8>,
}

/// What is known of a beginning.
#[derive(Debug, PartialEq, Eq)]
enum Found {
    At(usize),
    NotYet,
}

impl Injector {
    pub(crate) fn new(tag: String) -> Self {
        Self { tag: Some(tag), held: Vec::new() }
    }

    /// Takes a part of the page; returns what may go out.
    pub(crate) fn push(&mut self, bytes: &[u8]) -> Vec<u8> {
        if self.tag.is_none() {
            return bytes.to_vec();
        }
        self.held.extend_from_slice(bytes);
        match find(&self.held) {
            Found::At(at) => self.insert(at),
            Found::NotYet if self.held.len() > LONGEST_HEAD => self.finish(),
            Found::NotYet => Vec::new(),
        }
    }

    /// What is left at the end.
    pub(crate) fn finish(&mut self) -> Vec<u8> {
        self.insert(after_doctype(&self.held))
    }

    fn insert(&mut self, at: usize) -> Vec<u8> {
        let mut out = std::mem::take(&mut self.held);
        if let Some(tag) = self.tag.take() {
            out.splice(at..at, tag.into_bytes());
        }
        out
    }
}

/// Looks for the place, outside of comments and of elements whose text is no markup.
fn find(html: &[u8]) -> Found {
    let mut at = 0;
    while let Some(next) = html.get(at..).and_then(|rest| rest.iter().position(|byte| *byte == b'<')) {
        at += next;
        let rest = html.get(at..).unwrap_or_default();
        if is_tag(rest, b"</head") || is_tag(rest, b"<body") {
            return Found::At(at);
        }
        let end = if rest.starts_with(b"<!--") {
            position(rest, b"-->")
        } else if let Some(name) =
            RAW.iter().find(|name| rest.get(1..).is_some_and(|rest| is_tag(rest, name)))
        {
            position(rest, &[b"</", *name].concat())
        } else {
            Some(1)
        };
        match end {
            Some(end) => at += end,
            None => return Found::NotYet,
        }
    }
    Found::NotYet
}

/// Whether `html` begins with `name`, in any case, and the name ends there.
fn is_tag(html: &[u8], name: &[u8]) -> bool {
    html.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name))
        && html.get(name.len()).is_some_and(|byte| matches!(byte, b'>' | b'/') || byte.is_ascii_whitespace())
}

fn position(html: &[u8], needle: &[u8]) -> Option<usize> {
    html.windows(needle.len()).position(|window| window.eq_ignore_ascii_case(needle))
}

/// Something before the doctype would put the page into quirks mode.
fn after_doctype(html: &[u8]) -> usize {
    let start = html.iter().position(|byte| !byte.is_ascii_whitespace()).unwrap_or(0);
    let rest = html.get(start..).unwrap_or_default();
    if rest.get(..9).is_some_and(|start| start.eq_ignore_ascii_case(b"<!doctype")) {
        rest.iter().position(|byte| *byte == b'>').map_or(0, |end| start + end + 1)
    } else {
        0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CASES: [(&str, &str); 9] = [
        ("<html><head><title>a</title></head><body>b", "<html><head><title>a</title>#</head><body>b"),
        ("<HEAD></HEAD >", "<HEAD>#</HEAD >"),
        ("<!-- </head> --><head></head>", "<!-- </head> --><head>#</head>"),
        (
            "<head><script>'</head>'</script><title></head></title></head>",
            "<head><script>'</head>'</script><title></head></title>#</head>",
        ),
        ("<!DOCTYPE html><body>b</body>", "<!DOCTYPE html>#<body>b</body>"),
        ("<header>a</header>", "#<header>a</header>"),
        (" <!doctype html><p>a", " <!doctype html>#<p>a"),
        ("a < b", "#a < b"),
        ("", "#"),
    ];

    #[test]
    fn the_tag_stands_once_and_where_a_browser_finds_it_however_the_page_is_cut() {
        for (page, expected) in CASES {
            for size in [1, 2, 7, 1_000] {
                let mut injector = Injector::new("#".into());
                let mut out = Vec::new();
                for part in page.as_bytes().chunks(size) {
                    out.extend(injector.push(part));
                }
                out.extend(injector.finish());
                assert_eq!(String::from_utf8(out).unwrap(), expected, "in parts of {size}");
            }
        }
    }

    #[test]
    fn what_follows_the_head_passes_at_once() {
        let mut injector = Injector::new("#".into());
        assert_eq!(injector.push(b"<head></head><body>a"), b"<head>#</head><body>a");
        assert_eq!(injector.push(b"b"), b"b");
        assert!(injector.finish().is_empty());
    }

    #[test]
    fn a_head_without_an_end_is_not_held_for_ever() {
        let mut injector = Injector::new("#".into());
        let out = injector.push(&vec![b'a'; LONGEST_HEAD + 1]);
        assert_eq!((out.first(), out.len()), (Some(&b'#'), LONGEST_HEAD + 2));
    }
}
