//! How an age can be written.

use std::time::Duration;
use tropos_core::{Error, Revalidate, age};

/// Something that says for how long an answer is fresh: `"5m"`, `"never"`, a [`Duration`], a [`Revalidate`].
pub trait IntoRevalidate {
    /// The age.
    ///
    /// # Errors
    /// [`Error::Duration`] where it is not one, zero included.
    fn into_revalidate(self) -> Result<Revalidate, Error>;
}

impl IntoRevalidate for &str {
    fn into_revalidate(self) -> Result<Revalidate, Error> {
        Ok(age::parse(self)?.map_or(Revalidate::Never, Revalidate::After))
    }
}

impl IntoRevalidate for String {
    fn into_revalidate(self) -> Result<Revalidate, Error> {
        self.as_str().into_revalidate()
    }
}

impl IntoRevalidate for Duration {
    fn into_revalidate(self) -> Result<Revalidate, Error> {
        // As in text: what is stale at once is not stored, which is another wish.
        match self.as_millis() {
            0 => Err(Error::Duration { text: format!("{self:?}") }),
            _ => Ok(Revalidate::After(self)),
        }
    }
}

impl IntoRevalidate for Revalidate {
    fn into_revalidate(self) -> Result<Revalidate, Error> {
        match self {
            Revalidate::Never => Ok(self),
            Revalidate::After(age) => age.into_revalidate(),
        }
    }
}
