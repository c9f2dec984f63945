//! `Accept-Language` (RFC 9110 §12.5.4), and which of the site's languages it asks for (RFC 4647).

/// The header is read this far, in bytes. Browsers send fewer than a hundred.
pub const LONGEST_ACCEPT: usize = 1024;

/// So many ranges are read.
pub const MOST_RANGES: usize = 32;

/// A language range, and how much it is wanted, of 1,000.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Range<'h> {
    /// Such as `de-AT`, or `*`.
    pub text: &'h str,
    /// The weight in thousandths; 0 is "not this".
    pub weight: u16,
}

/// The ranges of a header, the most wanted first and otherwise as written. What is malformed is left out.
///
/// ```
/// use tropos_edge::ready::locale::ranges;
/// let wanted: Vec<_> = ranges("en;q=0.5, de-AT, *;q=0").iter().map(|r| (r.text, r.weight)).collect();
/// assert_eq!(wanted, [("de-AT", 1000), ("en", 500), ("*", 0)]);
/// ```
pub fn ranges(header: &str) -> Vec<Range<'_>> {
    // A range that the bound cuts in two is left out as well.
    let header = match header.len() > LONGEST_ACCEPT {
        true => header
            .get(..LONGEST_ACCEPT)
            .and_then(|start| start.rsplit_once(','))
            .map_or("", |(whole, _)| whole),
        false => header,
    };
    let mut ranges: Vec<_> = header.split(',').filter_map(range).take(MOST_RANGES).collect();
    ranges.sort_by_key(|range| std::cmp::Reverse(range.weight));
    ranges
}

fn range(text: &str) -> Option<Range<'_>> {
    let (text, weight) = match text.split_once(';') {
        Some((text, weight)) => (text, quality(weight)?),
        None => (text, 1000),
    };
    let text = text.trim_matches([' ', '\t']);
    (text == "*" || is_tag(text)).then_some(Range { text, weight })
}

/// `q=` and 0 to 1 with three digits at most behind the dot (RFC 9110 §12.4.2).
fn quality(text: &str) -> Option<u16> {
    let text = text.trim_matches([' ', '\t']);
    let value = text.strip_prefix("q=").or_else(|| text.strip_prefix("Q="))?;
    let (whole, part) = value.split_once('.').unwrap_or((value, ""));
    if part.len() > 3 || !part.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let thousandths: u16 = format!("{part:0<3}").parse().ok()?;
    match whole {
        "0" => Some(thousandths),
        "1" if thousandths == 0 => Some(1000),
        _ => None,
    }
}

/// `1*8ALPHA *("-" 1*8alphanum)` (RFC 4647 §2.1).
pub(super) fn is_tag(text: &str) -> bool {
    let mut parts = text.split('-');
    let fits = |part: &str| (1..=8).contains(&part.len());
    parts.next().is_some_and(|first| fits(first) && first.bytes().all(|byte| byte.is_ascii_alphabetic()))
        && parts.all(|part| fits(part) && part.bytes().all(|byte| byte.is_ascii_alphanumeric()))
}

/// The place of the language that a header asks for among those of the site; `None` where it asks for none of them.
///
/// Each range in turn: by lookup (RFC 4647 §3.4), so `de-AT` finds `de`; then the other way (basic filtering, §3.3.1), so `pt`
/// finds `pt-BR` where there is no `pt`. A language that a range of weight 0 names is not given. `*` asks for none in
/// particular.
pub fn wanted<S: AsRef<str>>(header: &str, site: &[S]) -> Option<usize> {
    let ranges = ranges(header);
    let refused = |tag: &str| {
        // What names the tag most closely says whether it is refused: `de-AT` with `de;q=0` is wanted.
        let naming = ranges.iter().filter(|range| covers(range.text, tag));
        naming.max_by_key(|range| range.text.len()).is_some_and(|range| range.weight == 0)
    };
    let open = |find: &dyn Fn(&str) -> bool| {
        site.iter().position(|tag| find(tag.as_ref()) && !refused(tag.as_ref()))
    };
    ranges.iter().filter(|range| range.weight > 0 && range.text != "*").find_map(|range| {
        let mut text = range.text;
        loop {
            if let Some(found) = open(&|tag| tag.eq_ignore_ascii_case(text)) {
                return Some(found);
            }
            let Some((shorter, _)) = text.rsplit_once('-') else { break };
            // A single letter begins an extension, and goes with it (§3.4).
            text = match shorter.rsplit_once('-') {
                Some((before, last)) if last.len() == 1 => before,
                _ => shorter,
            };
        }
        open(&|tag| covers(range.text, tag))
    })
}

/// Whether a tag is a range or begins with it, by whole parts.
fn covers(range: &str, tag: &str) -> bool {
    let begins = tag.get(..range.len()).is_some_and(|start| start.eq_ignore_ascii_case(range));
    begins && tag.get(range.len()..).is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
}
