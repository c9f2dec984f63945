//! The functions that say which pages to make at build.

use super::{PathParams, extract::AppCx};
use futures::future::BoxFuture;
use std::{future::Future, sync::Arc};
use tropos_core::Failure;

/// A function that says which pages to make at build: the values of the parameters of each.
pub type Listing = Arc<dyn Fn(AppCx) -> BoxFuture<'static, Result<Vec<Vec<String>>, Failure>> + Send + Sync>;

/// What a listing function may take: parts of the application, none of a request.
#[diagnostic::on_unimplemented(
    message = "a `prerender` function cannot take `{Self}`",
    note = "it runs at build, where there is no request: it may take `Db` and `State<T>`"
)]
pub trait FromApp: Sized {
    /// Takes it from the application.
    ///
    /// # Errors
    /// A [`Failure`] that says what the application lacks.
    fn from_app(app: &AppCx) -> Result<Self, Failure>;
}

/// `async fn() -> Result<Vec<T>>`, with up to two arguments that are [`FromApp`].
pub trait ListingFn<Args>: Send + Sync + 'static {
    /// Runs it.
    fn list(&self, app: AppCx) -> BoxFuture<'static, Result<Vec<Vec<String>>, Failure>>;
}

macro_rules! listing_fn {
    ($($name:ident),*) => {
        impl<F, Fut, T, Kind: 'static, $($name,)*> ListingFn<(Kind, $($name,)*)> for F
        where
            F: Fn($($name),*) -> Fut + Send + Sync + 'static,
            Fut: Future<Output = Result<Vec<T>, Failure>> + Send + 'static,
            T: PathParams<Kind> + 'static,
            $($name: FromApp + 'static,)*
        {
            #[allow(unused_variables)]
            fn list(&self, app: AppCx) -> BoxFuture<'static, Result<Vec<Vec<String>>, Failure>> {
                $(#[allow(non_snake_case)]
                let $name = match $name::from_app(&app) {
                    Ok(part) => part,
                    Err(failure) => return Box::pin(std::future::ready(Err(failure))),
                };)*
                let listed = self($($name),*);
                Box::pin(async move { Ok(listed.await?.iter().map(PathParams::to_values).collect()) })
            }
        }
    };
}
listing_fn!();
listing_fn!(A);
listing_fn!(A, B);

/// Wraps a listing function.
pub fn listing<Args>(function: impl ListingFn<Args>) -> Listing {
    Arc::new(move |app| function.list(app))
}
