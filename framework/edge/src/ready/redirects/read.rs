//! Tables as text.

use super::rule::Rule;
use serde::Deserialize;

/// A rule as it is written in JSON and TOML.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    from: String,
    to: String,
    host: Option<String>,
    status: Option<u16>,
    permanent: Option<bool>,
    rewrite: Option<bool>,
    query: Option<bool>,
}

impl Written {
    fn rule(self, line: usize) -> Result<Rule, String> {
        let rule = Rule::new(&self.from, &self.to).line(line);
        let rule = match (self.status, self.permanent, self.rewrite) {
            (None, None | Some(false), None | Some(false)) => rule,
            (None, Some(true), None | Some(false)) => rule.permanent(),
            (None, None | Some(false), Some(true)) => rule.rewrite(),
            (Some(status), None, None | Some(false)) => rule.status(status),
            _ => return Err(format!("line {line}: write one of `status`, `permanent` and `rewrite`")),
        };
        let rule = if self.query == Some(false) { rule.without_query() } else { rule };
        Ok(self.host.iter().fold(rule, |rule, host| rule.on_host(host)))
    }
}

fn line_at(text: &str, offset: usize) -> usize {
    text.bytes().take(offset).filter(|byte| *byte == b'\n').count() + 1
}

/// Reads `[{"from": "/a", "to": "/b", "permanent": true, "host": "…", "query": false}, {"from": "/c", "to": "/d", "rewrite": true}]`.
pub(super) fn json(text: &str) -> Result<Vec<Rule>, String> {
    let mut rules = Vec::new();
    let begin = text.find('[').filter(|at| text.get(..*at).is_some_and(|before| before.trim().is_empty()));
    let mut at = begin.ok_or("the table is no JSON array: write `[{\"from\": \"/a\", \"to\": \"/b\"}]`")? + 1;
    // One by one, so that messages name lines.
    loop {
        let rest = text.get(at..).unwrap_or_default();
        let skipped = rest.len() - rest.trim_start().len();
        at += skipped;
        let rest = rest.trim_start();
        match (rest.bytes().next(), rules.is_empty()) {
            (Some(b']'), _) if rest.get(1..).is_some_and(|end| end.trim().is_empty()) => return Ok(rules),
            (Some(b','), false) => at += 1,
            (Some(b'{'), true) => {}
            _ => return Err(format!("line {}: here must be `,` and a rule, or `]`", line_at(text, at))),
        }
        let rest = text.get(at..).unwrap_or_default();
        let begin = at + rest.len() - rest.trim_start().len();
        let mut stream = serde_json::Deserializer::from_str(rest).into_iter::<Written>();
        let line = line_at(text, begin);
        let written = stream.next().transpose().map_err(|error| format!("line {line}: {error}"))?;
        let written = written.ok_or_else(|| format!("line {line}: here must be a rule"))?;
        at += stream.byte_offset();
        rules.push(written.rule(line)?);
    }
}

/// Reads `[[redirect]]` tables with the keys of the JSON.
#[cfg(feature = "toml")]
pub(super) fn toml(text: &str) -> Result<Vec<Rule>, String> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Document {
        #[serde(default)]
        redirect: Vec<toml::Spanned<Written>>,
    }
    let document: Document = toml::from_str(text).map_err(|error| error.to_string().trim_end().to_owned())?;
    let rules = document.redirect.into_iter().map(|written| {
        let line = line_at(text, written.span().start);
        written.into_inner().rule(line)
    });
    rules.collect()
}

/// Reads lines of `from,to,status,host`; the last two may be left out or empty. The status is a number, or `rewrite`; 307 where there is none.
/// A first line that begins with `from` is skipped, and so are empty ones and those that begin with `#`. Fields may stand in double quotes (RFC 4180), on one line.
pub(super) fn csv(text: &str) -> Result<Vec<Rule>, String> {
    let mut rules = Vec::new();
    for (at, line) in text.lines().enumerate() {
        let number = at + 1;
        let line = if at == 0 { line.trim_start_matches('\u{feff}') } else { line };
        if line.trim().is_empty() || line.starts_with('#') {
            continue;
        }
        let fields = fields(line)
            .ok_or_else(|| format!("line {number}: a quote is not closed, or something stands behind it"))?;
        if rules.is_empty() && fields.first().is_some_and(|first| first == "from") {
            continue;
        }
        let field = |at: usize| fields.get(at).map(|text| text.trim()).filter(|text| !text.is_empty());
        let (Some(from), Some(to)) = (field(0), field(1)) else {
            return Err(format!(
                "line {number}: write `from,to`, and after it the status and the host where they are needed"
            ));
        };
        if fields.len() > 4 {
            return Err(format!("line {number} has {} fields: write `from,to,status,host`", fields.len()));
        }
        let rule = Rule::new(from, to).line(number);
        let rule = match field(2).map(|status| (status, status.parse())) {
            None => rule,
            Some(("rewrite", _)) => rule.rewrite(),
            Some((_, Ok(status))) => rule.status(status),
            Some((status, Err(_))) => {
                return Err(format!("line {number}: `{status}` is no status: write a number, or `rewrite`"));
            }
        };
        rules.push(field(3).into_iter().fold(rule, |rule, host| rule.on_host(host)));
    }
    Ok(rules)
}

fn fields(line: &str) -> Option<Vec<String>> {
    let mut fields = Vec::new();
    let mut rest = line;
    loop {
        let Some(quoted) = rest.strip_prefix('"') else {
            match rest.split_once(',') {
                Some((field, after)) => {
                    fields.push(field.to_owned());
                    rest = after;
                    continue;
                }
                None => {
                    fields.push(rest.to_owned());
                    return Some(fields);
                }
            }
        };
        let mut field = String::new();
        let mut inner = quoted;
        rest = loop {
            let (before, after) = inner.split_once('"')?;
            field.push_str(before);
            match after.strip_prefix('"') {
                Some(more) => {
                    field.push('"');
                    inner = more;
                }
                None => break after,
            }
        };
        fields.push(field);
        if rest.is_empty() {
            return Some(fields);
        }
        rest = rest.strip_prefix(',')?;
    }
}
