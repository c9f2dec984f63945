//! What a cached function may be called with.

use serde::Serialize;

/// An argument of a `#[cached]` function.
///
/// Every argument that serializes is a part of the key. A handle through which the function reads its data, such as a
/// database, is an argument that leaves the key as it is. What belongs to one request (cookies, headers, a session)
/// is neither, so that a cached function cannot take it: its answer would be given to others.
#[diagnostic::on_unimplemented(
    message = "a `#[cached]` function cannot take `{Self}`",
    label = "not a part of the cache key",
    note = "its result is shared by all who call it with equal arguments, so it may depend on nothing that belongs to one request",
    note = "read the value in the page and pass on what the function needs of it, as a type that implements `serde::Serialize`"
)]
pub trait CacheArg {
    /// Adds this argument to the key.
    fn add_to_key(&self, key: &mut KeyArgs);
}

/// The arguments of one call, encoded.
#[derive(Debug, Clone, Default)]
pub struct KeyArgs {
    encoded: String,
    failed: Option<String>,
}

impl KeyArgs {
    /// Adds one argument.
    pub fn add(&mut self, argument: &(impl CacheArg + ?Sized)) {
        argument.add_to_key(self);
    }

    /// The arguments, encoded; `Err` says why one of them cannot be a part of a key.
    ///
    /// # Errors
    /// What the argument's `Serialize` said.
    pub fn finish(self) -> Result<String, String> {
        self.failed.map_or(Ok(self.encoded), Err)
    }
}

impl<T: Serialize + ?Sized> CacheArg for T {
    fn add_to_key(&self, key: &mut KeyArgs) {
        match serde_json::to_string(self) {
            Ok(json) => {
                key.encoded.push_str(&json);
                key.encoded.push(' ');
            }
            Err(error) => key.failed = Some(error.to_string()),
        }
    }
}
