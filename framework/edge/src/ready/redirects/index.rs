//! Which rule an address falls under: a hash look-up for those without parameters.

use super::{
    rule::{Kind, Rule},
    target::Target,
};
use crate::matching::is_host;
use std::{borrow::Cow, collections::HashMap};
use tropos_core::{
    CanonicalPath, Params, Pattern,
    pattern::{Segment, same_paths},
};

/// A rule, read.
#[derive(Debug, Clone)]
pub(super) struct Ready {
    pub(super) rule: Rule,
    /// The one path that it is for, in its one spelling, where it has no parameters.
    pub(super) literal: Option<String>,
    /// What it is for otherwise, and the parameters of its target.
    pub(super) from: Pattern,
    pub(super) target: Target,
}

impl Ready {
    /// The first segment of all that a pattern is for; `None` where that differs.
    fn first(&self) -> Option<String> {
        match self.from.segments().first() {
            Some(Segment::Static(text)) => Some(text.clone()),
            _ => None,
        }
    }

    fn is_for(&self, host: &str) -> bool {
        self.rule.host.as_ref().is_none_or(|own| is_host(own, host))
    }
}

#[derive(Debug, Default)]
pub(super) struct Index {
    /// By host, or by none, and path.
    exact: HashMap<String, HashMap<String, usize>>,
    /// By path, for hosts below others, the longer first.
    below: HashMap<String, Vec<usize>>,
    /// The others by their first segment, or by none where that is a parameter; in the order in which they are tried.
    patterns: HashMap<Option<String>, Vec<(usize, usize)>>,
    any_host: bool,
}

/// Which rules count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Only {
    All,
    /// Those that rewrite: the address that a visitor sees has been judged.
    Rewrites,
    /// Those that name a host: the address is of a site that this one may not be.
    WithHost,
}

impl Only {
    fn counts(self, rule: &Rule) -> bool {
        match self {
            Self::All => true,
            Self::Rewrites => rule.kind == Kind::Rewrite,
            Self::WithHost => rule.host.is_some(),
        }
    }
}

impl Index {
    /// The index, and what is there twice.
    pub(super) fn new(rules: &[Ready]) -> (Self, Vec<String>) {
        let mut index =
            Self { any_host: rules.iter().any(|ready| ready.rule.host.is_some()), ..Self::default() };
        let mut twice = Vec::new();
        let mut patterns = Vec::new();
        for (at, ready) in rules.iter().enumerate() {
            let host = ready.rule.host.clone().unwrap_or_default();
            let earlier = match &ready.literal {
                Some(path) if host.starts_with("*.") => {
                    let beside = index.below.entry(path.clone()).or_default();
                    let of = |at: &usize| rules.get(*at).and_then(|other| other.rule.host.as_deref());
                    let earlier = beside.iter().find(|at| of(at) == Some(&host)).copied();
                    beside.push(at);
                    beside.sort_by_key(|at| std::cmp::Reverse(of(at).map(str::len)));
                    earlier
                }
                Some(path) => index.exact.entry(host).or_default().insert(path.clone(), at),
                None => {
                    patterns.push((at, ready));
                    None
                }
            };
            twice
                .extend(earlier.and_then(|at| rules.get(at)).map(|earlier| both(&earlier.rule, &ready.rule)));
        }
        patterns.sort_by(|(_, a), (_, b)| {
            let any = |ready: &Ready| ready.rule.host.is_none();
            a.from.specificity(&b.from).then(any(a).cmp(&any(b)))
        });
        for (order, (at, ready)) in patterns.iter().enumerate() {
            let beside = index.patterns.entry(ready.first()).or_default();
            let same = beside.iter().filter_map(|(_, other)| rules.get(*other)).find(|other| {
                other.rule.host == ready.rule.host && same_paths(other.from.as_str(), ready.from.as_str())
            });
            twice.extend(same.map(|other| both(&other.rule, &ready.rule)));
            beside.push((order, *at));
        }
        (index, twice)
    }

    /// Whether a rule may be for this path, at some host.
    pub(super) fn may_find(&self, rules: &[Ready], path: &CanonicalPath) -> bool {
        // A pattern matches no path with a slash at its end; it is asked without.
        let Ok(bare) = CanonicalPath::parse(path.as_str()) else { return true };
        let of = |first: Option<String>| self.patterns.get(&first).into_iter().flatten();
        let first = bare.segments().next().map(str::to_owned);
        let mut patterns = of(None).chain(of(first)).filter_map(|(_, at)| rules.get(*at));
        self.exact.values().any(|paths| paths.contains_key(path.as_str()))
            || self.below.contains_key(path.as_str())
            || patterns.any(|ready| ready.from.matches(&bare).is_some())
    }

    /// The rule for an address: those without parameters first, of the host before those of any; then the more specific pattern.
    pub(super) fn find(
        &self,
        rules: &[Ready],
        host: &str,
        path: &CanonicalPath,
        only: Only,
    ) -> Option<(usize, Params)> {
        let named = if self.any_host { Some(without_port(host)) } else { None };
        let counts = |at: &usize| rules.get(*at).is_some_and(|ready| only.counts(&ready.rule));
        let of = |host: &str| self.exact.get(host)?.get(path.as_str()).copied().filter(counts);
        let below = || {
            let here = |at: &&usize| counts(at) && rules.get(**at).is_some_and(|ready| ready.is_for(host));
            self.below.get(path.as_str())?.iter().find(here).copied()
        };
        if let Some(at) = named.and_then(|host| of(&host)).or_else(below).or_else(|| of("")) {
            return Some((at, Params::default()));
        }
        if self.patterns.is_empty() {
            return None;
        }
        // A pattern matches no path with a slash at its end.
        let path = match path.has_trailing_slash() {
            true => Cow::Owned(CanonicalPath::parse(path.as_str()).ok()?),
            false => Cow::Borrowed(path),
        };
        let of = |first: Option<String>| {
            self.patterns.get(&first)?.iter().filter(|(_, at)| counts(at)).find_map(|(order, at)| {
                let ready = rules.get(*at)?;
                let params = if ready.is_for(host) { ready.from.matches(&path) } else { None };
                Some((*order, *at, params?))
            })
        };
        let first = path.segments().next().map(str::to_owned);
        let known = [first.and_then(|first| of(Some(first))), of(None)].into_iter().flatten();
        known.min_by_key(|(order, ..)| *order).map(|(_, at, params)| (at, params))
    }
}

fn both(earlier: &Rule, later: &Rule) -> String {
    format!("{} and {} are for the same addresses: leave one", earlier.label(), later.label())
}

/// A host in small letters, without its port.
fn without_port(host: &str) -> Cow<'_, str> {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    match name.bytes().any(|byte| byte.is_ascii_uppercase()) {
        true => Cow::Owned(name.to_ascii_lowercase()),
        false => Cow::Borrowed(name),
    }
}
