//! An error of application code, of whatever type, that several waiters can share.

use std::{any::type_name, error::Error, fmt, panic::Location, sync::Arc};

/// An error of application code. Any error converts into it with `?`; it clones, since everybody who waited for one
/// render is told of its failure.
///
/// It is not an [`Error`] itself, so that the conversion can be general.
#[derive(Clone)]
pub struct Failure {
    error: Arc<dyn Error + Send + Sync>,
    type_name: &'static str,
    place: &'static Location<'static>,
}

/// What application code returns.
pub type Result<T, E = Failure> = std::result::Result<T, E>;

impl Failure {
    /// A failure with a message of its own.
    #[track_caller]
    pub fn new(message: impl Into<String>) -> Self {
        let error = Arc::from(Box::<dyn Error + Send + Sync>::from(message.into()));
        Self { error, type_name: type_name::<Self>(), place: Location::caller() }
    }

    /// The error behind it.
    pub fn error(&self) -> &(dyn Error + Send + Sync + 'static) {
        &*self.error
    }

    /// The name of the error's type; of a message its own, [`Failure`]'s.
    pub fn type_name(&self) -> &'static str {
        self.type_name
    }

    /// Where the error became a failure: the `?`, mostly. It costs nothing until somebody asks, unlike a stack.
    pub fn place(&self) -> &'static Location<'static> {
        self.place
    }

    /// The error behind it, where it is an `E`.
    pub fn downcast_ref<E: Error + 'static>(&self) -> Option<&E> {
        self.error.downcast_ref()
    }
}

impl<E: Error + Send + Sync + 'static> From<E> for Failure {
    #[track_caller]
    fn from(error: E) -> Self {
        Self { error: Arc::new(error), type_name: type_name::<E>(), place: Location::caller() }
    }
}

impl fmt::Display for Failure {
    /// The error and its causes, joined by `: `. A cause that an error tells in its own message is not told again.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = self.error.to_string();
        let mut cause = self.error.source();
        while let Some(error) = cause {
            let told = error.to_string();
            if !text.contains(&told) {
                text.push_str(": ");
                text.push_str(&told);
            }
            cause = error.source();
        }
        f.write_str(&text)
    }
}

impl fmt::Debug for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Failure({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_knows_what_it_was_and_where_it_became_one() {
        let fails = || -> Result<u8> { Ok("x".parse()?) };
        let (line, failure) = (line!() - 1, fails().unwrap_err());
        assert_eq!(failure.type_name(), "core::num::error::ParseIntError");
        assert!(failure.place().file().ends_with("failure.rs"), "{:?}", failure.place());
        assert_eq!(failure.place().line(), line);
        assert_eq!(Failure::new("a").place().line(), line!());
    }
}
