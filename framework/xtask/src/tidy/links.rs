//! Relative links in Markdown lead somewhere.

use super::File;

/// Links that lead nowhere, by what `exists` says of a path below the root.
pub(crate) fn check(files: &[File], exists: impl Fn(&str) -> bool) -> Vec<String> {
    let mut problems = Vec::new();
    for file in files.iter().filter(|file| file.is("md")) {
        for (line, link) in links(&file.text) {
            let target = link.split(['#', '?']).next().unwrap_or_default();
            if target.is_empty() || is_elsewhere(link) {
                continue;
            }
            match resolve(&file.path, target) {
                Some(path) if exists(&path) => {}
                _ => problems.push(format!("{}:{line}: the link to {link} leads nowhere", file.path)),
            }
        }
    }
    problems
}

fn is_elsewhere(link: &str) -> bool {
    link.starts_with("//") || link.split_once(':').is_some_and(|(scheme, _)| !scheme.contains(['/', '.']))
}

/// The path below the root that a link in `base` means; `None` where it leaves the repository.
fn resolve(base: &str, link: &str) -> Option<String> {
    let mut parts: Vec<&str> = if link.starts_with('/') { Vec::new() } else { base.split('/').collect() };
    parts.pop();
    for part in link.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            name => parts.push(name),
        }
    }
    Some(parts.join("/"))
}

/// The targets of `[text](target)` and `[name]: target`, with their lines, outside code.
fn links(markdown: &str) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    let mut fence = None;
    for (number, line) in markdown.lines().enumerate() {
        let start = line.trim_start();
        let mark = ["```", "~~~"].into_iter().find(|mark| start.starts_with(mark));
        match (fence, mark) {
            (None, Some(mark)) => fence = Some(mark),
            (Some(open), Some(mark)) if open == mark => fence = None,
            (Some(_), _) => {}
            (None, None) => {
                let definition =
                    start.strip_prefix('[').and_then(|rest| rest.split_once("]: ")).map(|(_, target)| target);
                match definition {
                    Some(target) => found.extend(target_of(target).map(|target| (number + 1, target))),
                    None => found.extend(inline(line).into_iter().map(|target| (number + 1, target))),
                }
            }
        }
    }
    found
}

fn inline(line: &str) -> Vec<&str> {
    // Of the pieces between backticks, every other one is code.
    let text = line.split('`').step_by(2);
    let targets = text.flat_map(|text| text.split("](").skip(1)).filter_map(|rest| rest.split(')').next());
    targets.filter_map(target_of).collect()
}

/// The address in `<address>` or `address "title"`.
fn target_of(text: &str) -> Option<&str> {
    text.split_whitespace().next().map(|word| word.trim_start_matches('<').trim_end_matches('>'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_found_outside_code() {
        let text = "See [a](a.md) and [b](b/c.md#part \"title\"), not `[x](x.md)`.\n\n```md\n[y](y.md)\n```\n![p](p.png)\n[ref]: <r.md>\n";
        assert_eq!(links(text), [(1, "a.md"), (1, "b/c.md#part"), (6, "p.png"), (7, "r.md")]);
    }

    #[test]
    fn only_relative_links_that_lead_nowhere_are_named() {
        let exists = |path: &str| ["docs/a.md", "README.md", "framework"].contains(&path);
        for (link, fine) in [
            ("a.md", true),
            ("a.md#part", true),
            ("#part", true),
            ("../README.md", true),
            ("../framework/", true),
            ("/README.md", true),
            ("https://example.com/x", true),
            ("mailto:a@example.com", true),
            ("b.md", false),
            ("../../outside.md", false),
        ] {
            let file = File::new("docs/index.md", &format!("[x]({link})"));
            assert_eq!(check(&[file], exists).is_empty(), fine, "{link}");
        }
    }
}
