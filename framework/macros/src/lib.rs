//! The attributes of a Tropos application: [`page`], [`cached`] and [`routes!`].
//!
//! | attribute | makes |
//! |---|---|
//! | [`#[page]`](macro@page) | of an async function, a page with a path, a mode and an address |
//! | [`#[cached]`](macro@cached) | of an async function, one whose results are kept |
//! | [`routes!`] | of pages, the list of routes that an application serves |
//!
//! Applications use them through the `tropos` crate, which holds all that the expansions name. What can be known while
//! an application compiles is an error then: a mode that is none, an age that is none, `expire` under `revalidate`, a
//! path that cannot be matched, two routes with one path, a page that reads what its mode forbids. Each message names
//! the route and the option, and says what to write; `tests/ui/fail` holds them to the letter.

mod cached;
mod duration;
mod function;
mod options;
mod page;
mod routes;
mod subject;
mod template;

use proc_macro::TokenStream;

/// Makes a page of an async function: `#[page("/path/:parameter", MODE)]`.
///
/// ```
/// use tropos::{leptos::html::h1, prelude::*};
///
/// /// One product of the shop.
/// #[page("/products/:id", isr(revalidate = "60s", prerender = best_sellers, tags = ["product-{id}"]))]
/// pub async fn Product(Path(id): Path<u64>) -> PageResult {
///     let name = name_of(id).await?.or_not_found()?;
///     h1().child(name).into_page() // or `view! { <h1>{name}</h1> }.into_page()`
/// }
///
/// assert_eq!(Product::href(42).as_str(), "/products/42");
/// # async fn name_of(id: u64) -> tropos::Result<Option<String>> { Ok(Some(id.to_string())) }
/// # async fn best_sellers() -> tropos::Result<Vec<u64>> { Ok(vec![1]) }
/// ```
///
/// # The path
///
/// Segments are plain text, `:name` for one segment, or `*name` at the end for all that follow. The parameters arrive
/// as `Path<T>`, or `Path<(A, B)>` in the order of the path, and make up the arguments of the page's address:
/// `Product::href(id)`. A path without parameters has an address without arguments.
///
/// # The modes
///
/// | mode | options |
/// |---|---|
/// | `ssg` | `prerender`, `tags` |
/// | `isr` | `revalidate` (always given), `expire`, `negative`, `prerender`, `closed`, `query`, `variants`, `tags` |
/// | `server` | `tags` |
/// | `live` | `tags` |
///
/// | option | value | says |
/// |---|---|---|
/// | `revalidate` | `"60s"`, `"never"` | the age after which a page is stale |
/// | `expire` | `"1h"` | the age after which it may not be served at all; ten times `revalidate`, and at least an hour, where it is left out |
/// | `negative` | `"10s"` | the age of an answer "not found"; `10s` where it is left out |
/// | `prerender` | a function | lists the parameters of the pages that are made at build: `async fn(Db) -> Result<Vec<T>>` |
/// | `closed` | | parameters that are not listed are not found |
/// | `query` | a type | the query keys that the page may read, as a type that serde reads and writes |
/// | `variants` | a type, or a tuple of types | what hooks choose for each visitor, such as the sides of an experiment; the page is stored once for each value |
/// | `tags` | `["a", "x-{name}"]` | names of the data; `{name}` is a parameter of the path |
///
/// Durations are whole numbers with a unit: `500ms`, `60s`, `10m`, `2h`, `7d`.
///
/// # What the function may take
///
/// Each argument is taken from the request by its type, where the page's mode allows that: an `ssg` or `isr` page that
/// takes `Cookies`, `Headers`, `Session` or a query that it did not declare does not compile.
///
/// # What it becomes
///
/// A unit struct of the function's name and visibility that implements `tropos::Page`, with an associated function
/// `href`. The body stays as it was written.
#[proc_macro_attribute]
pub fn page(args: TokenStream, item: TokenStream) -> TokenStream {
    page::expand(args.into(), item.into()).into()
}

/// Keeps the results of an async function: `#[cached(ttl = "10m", tags = ["product-{id}"])]`.
///
/// ```
/// # struct Shelf;
/// # impl Shelf { async fn open(_: u64) -> Result<Self, std::io::Error> { Ok(Self) } fn names(&self) -> Vec<String> { Vec::new() } }
/// use tropos::{Result, cached};
///
/// #[cached(ttl = "10m", tags = ["shelf-{number}", "shelves"])]
/// pub async fn names_on(number: u64) -> Result<Vec<String>> {
///     Ok(Shelf::open(number).await?.names())
/// }
/// ```
///
/// Calls with equal arguments share one result, and a page that calls the function inherits its tags. A handle such as
/// `&Db` is an argument that does not count. An error is not kept.
///
/// | option | value | says |
/// |---|---|---|
/// | `ttl` | `"10m"`, `"never"` | the age after which a result is stale; always given |
/// | `expire` | `"1h"` | the age after which it may not be used at all; ten times `ttl`, and at least an hour, where it is left out |
/// | `tags` | `["a", "x-{id}"]` | names of the data; `{id}` is an argument, `{query.family}` a field of one |
///
/// The function returns `tropos::Result<T>`, with a `T` that serde writes and reads. Its arguments are owned, or stand
/// behind one `&`; each serializes, so that a key can be made of it, which `Cookies`, `Headers` and `Session` do not:
/// its result is given to everybody.
#[proc_macro_attribute]
pub fn cached(args: TokenStream, item: TokenStream) -> TokenStream {
    cached::expand(args.into(), item.into()).into()
}

/// Lists the routes of an application: `routes![Home, Product, shop::Basket]`.
///
/// ```
/// use tropos::{App, PageError, PageResult, Path, page, routes};
///
/// #[page("/", ssg)]
/// async fn Home() -> PageResult {
///     Err(PageError::NotFound)
/// }
///
/// #[page("/items/:id", server)]
/// async fn Item(Path(_id): Path<u64>) -> PageResult {
///     Err(PageError::NotFound)
/// }
///
/// pub fn app() -> App {
///     App::new().pages(routes![Home, Item])
/// }
/// ```
///
/// The order does not matter: the more specific path is tried first. Two pages that answer the same paths, whatever
/// their parameters are called, do not compile.
#[proc_macro]
pub fn routes(pages: TokenStream) -> TokenStream {
    routes::expand(pages.into()).unwrap_or_else(syn::Error::into_compile_error).into()
}
