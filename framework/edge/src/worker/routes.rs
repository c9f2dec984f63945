//! Which page a path leads to, from what the build says of the application's routes.

use crate::{Error, request::Route, run::Router};
use serde::Deserialize;
use tropos_core::{CanonicalPath, Mode, Pattern};

/// A page as the build lists it.
#[derive(Debug, Clone, Deserialize)]
pub struct Listed {
    /// Its path, as it was declared.
    pub pattern: String,
    /// Its mode, in one word.
    pub mode: String,
}

/// The pages, the more specific first.
#[derive(Debug, Default)]
pub struct Routes(Vec<(Pattern, Mode)>);

impl Routes {
    /// The routes of a build.
    ///
    /// # Errors
    /// [`Error::Hook`] where one is none: another version has made the list.
    pub fn new(listed: Vec<Listed>) -> Result<Self, Error> {
        let parse = |Listed { pattern, mode }: Listed| {
            let known = [Mode::Ssg, Mode::Isr, Mode::Server, Mode::Live];
            let mode = known.into_iter().find(|known| known.as_str() == mode);
            Pattern::parse(&pattern).ok().zip(mode).ok_or_else(|| {
                Error::Hook(format!("the build's list of routes has `{pattern}`, which is none: build anew"))
            })
        };
        let mut routes = listed.into_iter().map(parse).collect::<Result<Vec<_>, _>>()?;
        routes.sort_by(|(a, _), (b, _)| a.specificity(b));
        Ok(Self(routes))
    }
}

impl Router for Routes {
    fn route(&self, path: &CanonicalPath) -> Option<Route<'_>> {
        let (pattern, mode) = self.0.iter().find(|(pattern, _)| pattern.matches(path).is_some())?;
        Some(Route { pattern: pattern.as_str(), mode: *mode })
    }
}
