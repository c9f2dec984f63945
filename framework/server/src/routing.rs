//! Which page a path belongs to.

use crate::{error::Error, page::Route, render::Document};
use std::{collections::HashMap, sync::Arc};
use tropos_core::{CanonicalPath, Params, Pattern, pattern::Segment};

/// A page as the server holds it.
pub(crate) struct PageRoute {
    pub(crate) route: Route,
    pub(crate) pattern: Pattern,
    pub(crate) document: Document,
}

/// The pages, by the first segment of their paths, the more specific first.
pub(crate) struct Table {
    by_first: HashMap<String, Vec<Arc<PageRoute>>>,
    others: Vec<Arc<PageRoute>>,
    all: Vec<Arc<PageRoute>>,
}

impl Table {
    pub(crate) fn new(routes: Vec<(Route, Document)>) -> Result<Self, Error> {
        let mut all = Vec::new();
        for (route, document) in routes {
            let pattern = route.parsed_pattern()?;
            all.push(Arc::new(PageRoute { route, pattern, document }));
        }
        let mut sorted = all.clone();
        sorted.sort_by(|a, b| a.pattern.specificity(&b.pattern));
        let (mut by_first, mut others) = (HashMap::<String, Vec<_>>::new(), Vec::new());
        for page in sorted {
            match page.pattern.segments().first() {
                Some(Segment::Static(first)) => by_first.entry(first.clone()).or_default().push(page),
                _ => others.push(page),
            }
        }
        Ok(Self { by_first, others, all })
    }

    /// The page at `path`. A path whose first segment some page names literally may still belong to a page with a
    /// parameter in that place.
    pub(crate) fn find(&self, path: &CanonicalPath) -> Option<(&Arc<PageRoute>, Params)> {
        let named = path.segments().next().and_then(|first| self.by_first.get(first));
        let candidates = named.into_iter().flatten().chain(&self.others);
        candidates.into_iter().find_map(|page| Some((page, page.pattern.matches(path)?)))
    }

    /// The pages in the order of their declaration.
    pub(crate) fn all(&self) -> &[Arc<PageRoute>] {
        &self.all
    }
}
