//! Rules that lead to rules: circles are refused, and chains made one step.

use super::{
    index::{Index, Only, Ready},
    rule::Kind,
    target::{Target, split, unmark},
};
use tropos_core::CanonicalPath;

/// A chain is followed this far; a longer one counts as a circle.
const LONGEST: usize = 32;

/// What following all rules shows.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) circles: Vec<String>,
    pub(super) notes: Vec<String>,
    /// Rules to take the place of others.
    pub(super) shorter: Vec<(usize, Ready)>,
}

/// Follows each rule, its parameters replaced by marks. A circle that only some values of parameters make is not seen here; such a request is
/// answered with 508 when it comes.
pub(super) fn follow(rules: &[Ready], index: &Index) -> Found {
    let mut found = Found::default();
    for (start, ready) in rules.iter().enumerate() {
        match chain(rules, index, start) {
            Err(steps) => {
                let mut lines = steps;
                lines.sort_unstable();
                let labels: Vec<_> =
                    lines.iter().filter_map(|at| Some(rules.get(*at)?.rule.label())).collect();
                let text = match labels.as_slice() {
                    [one] => format!("{one} leads to itself"),
                    many => format!("{} lead in circles", many.join(", ")),
                };
                if !found.circles.contains(&text) {
                    found.circles.push(text);
                }
            }
            Ok(steps) => {
                let Some((ready, last)) = shortened(rules, ready, &steps) else { continue };
                let through: Vec<_> =
                    steps.iter().filter_map(|(at, _)| Some(rules.get(*at)?.rule.label())).collect();
                found.notes.push(format!(
                    "{} leads on by {}: visitors are sent to `{last}` at once",
                    ready.rule.label(),
                    through.join(", ")
                ));
                found.shorter.push((start, ready));
            }
        }
    }
    found
}

/// The rules behind one, each with the address that it leads to; those of a circle as an error.
fn chain(rules: &[Ready], index: &Index, start: usize) -> Result<Vec<(usize, String)>, Vec<usize>> {
    let mut steps = Vec::new();
    let mut seen = vec![start];
    let Some(ready) = rules.get(start) else { return Ok(steps) };
    let host = ready.rule.host.as_deref().unwrap_or_default().replace("*.", "troposhost.");
    let mut address = ready.target.sample(&ready.from);
    let mut rewritten = ready.rule.kind == Kind::Rewrite;
    while seen.len() <= LONGEST {
        let (origin, path, _) = split(&address);
        let (host, only) = match (origin.split_once("://"), rewritten) {
            (Some((_, other)), _) => (other, Only::WithHost),
            (None, true) => (host.as_str(), Only::Rewrites),
            (None, false) => (host.as_str(), Only::All),
        };
        let path = CanonicalPath::parse(if path.is_empty() { "/" } else { path });
        let next = path.ok().and_then(|path| index.find(rules, host, &path, only));
        let Some((at, params)) = next else { return Ok(steps) };
        let Some(ready) = rules.get(at) else { return Ok(steps) };
        if let Some(begin) = seen.iter().position(|known| *known == at) {
            return Err(seen.split_off(begin));
        }
        seen.push(at);
        let to = ready.target.fill(&params);
        address = if to.starts_with('/') { format!("{origin}{to}") } else { to };
        rewritten = ready.rule.kind == Kind::Rewrite;
        steps.push((at, address.clone()));
    }
    Err(seen)
}

/// The rule that leads where its chain ends, as far as redirects go; with that address. Rules that leave the query behind or have one of their own stay
/// as they are: what becomes of it on the way is theirs.
fn shortened(rules: &[Ready], ready: &Ready, steps: &[(usize, String)]) -> Option<(Ready, String)> {
    let plain = |of: &Ready| {
        of.rule.keep_query && !of.rule.to.contains(['?', '#']) && matches!(of.rule.kind, Kind::Redirect(_))
    };
    if !plain(ready) {
        return None;
    }
    let mut kind = ready.rule.kind;
    let mut last = None;
    for (at, address) in steps {
        let Some(step) = rules.get(*at).filter(|step| plain(step)) else { break };
        if let (Kind::Redirect(own), Kind::Redirect(308 | 301)) = (kind, step.rule.kind) {
            kind = Kind::Redirect(own);
        } else {
            kind = for_now(kind);
        }
        last = Some(address);
    }
    let to = unmark(last?, &ready.from);
    let target = Target::parse(&to, &ready.from).ok()?;
    let rule = super::Rule { kind, ..ready.rule.clone() };
    Some((Ready { rule, target, ..ready.clone() }, to))
}

/// A chain is for ever where all of it is.
fn for_now(kind: Kind) -> Kind {
    match kind {
        Kind::Redirect(308) => Kind::Redirect(307),
        Kind::Redirect(301) => Kind::Redirect(302),
        other => other,
    }
}
