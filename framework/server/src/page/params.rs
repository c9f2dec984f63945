//! Typed path parameters, and addresses made of them.

use std::{fmt, str::FromStr};
use tropos_core::{Params, Pattern};

/// The parameters of the path, each read by its `FromStr`: `Path<ProductId>` for one, `Path<(Year, Slug)>` for several.
///
/// A parameter that does not parse answers 404 before any I/O. So does one that has another spelling than its own
/// `Display`, such as `/products/042` for the number 42: a page has one address, and its entry one key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Path<T>(pub T);

/// One parameter of a path, or a tuple of all of them in the order of the pattern. `Kind` tells the two apart for the
/// compiler, and is never written.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be read from a path",
    note = "a path parameter implements `FromStr` and `Display`, and reads what it displays; several are a tuple"
)]
pub trait PathParams<Kind>: Sized + Send {
    /// Reads the parameters; `None` where the path is no address of this page.
    fn from_params(params: &Params) -> Option<Self>;

    /// The parameters as the path has them, not encoded.
    fn to_values(&self) -> Vec<String>;
}

fn read<T: FromStr + fmt::Display>(text: &str) -> Option<T> {
    text.parse().ok().filter(|value: &T| value.to_string() == text)
}

/// One parameter.
#[derive(Debug)]
pub struct One;

/// Several parameters, in a tuple.
#[derive(Debug)]
pub struct Several;

impl<T: FromStr + fmt::Display + Send> PathParams<One> for T {
    fn from_params(params: &Params) -> Option<Self> {
        let mut values = params.values();
        match (values.next(), values.next()) {
            (Some(value), None) => read(value),
            _ => None,
        }
    }

    fn to_values(&self) -> Vec<String> {
        vec![self.to_string()]
    }
}

macro_rules! tuple {
    ($($name:ident),+) => {
        impl<$($name: FromStr + fmt::Display + Send),+> PathParams<Several> for ($($name,)+) {
            #[allow(non_snake_case)]
            fn from_params(params: &Params) -> Option<Self> {
                let mut values = params.values();
                $(let $name = read(values.next()?)?;)+
                values.next().is_none().then_some(($($name,)+))
            }

            #[allow(non_snake_case)]
            fn to_values(&self) -> Vec<String> {
                let ($($name,)+) = self;
                vec![$($name.to_string()),+]
            }
        }
    };
}
tuple!(A);
tuple!(A, B);
tuple!(A, B, C);
tuple!(A, B, C, D);

/// The address of a page within the application: a path, for `href` attributes and redirects.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Href(String);

impl Href {
    /// The address of `pattern` with its parameters filled in. Macros call this; applications call `Page::href`.
    #[doc(hidden)]
    pub fn fill(pattern: &str, values: &[String]) -> Self {
        Self(Pattern::parse(pattern).map_or_else(|_| "/".to_owned(), |pattern| pattern.fill(values)))
    }

    /// The path.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// This address with a query, which is encoded.
    pub fn query(mut self, pairs: &[(&str, &dyn fmt::Display)]) -> Self {
        for (name, value) in pairs {
            let join = if self.0.contains('?') { '&' } else { '?' };
            let encode = |text: &str| {
                percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
            };
            self.0.push_str(&format!("{join}{}={}", encode(name), encode(&value.to_string())));
        }
        self
    }
}

impl fmt::Display for Href {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// `<a href=Product::href(id)>`.
impl leptos::prelude::IntoAttributeValue for Href {
    type Output = String;

    fn into_attribute_value(self) -> String {
        self.0
    }
}

impl From<Href> for String {
    fn from(href: Href) -> String {
        href.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tropos_core::CanonicalPath;

    fn params(pattern: &str, path: &str) -> Params {
        Pattern::parse(pattern).unwrap().matches(&CanonicalPath::parse(path).unwrap()).unwrap()
    }

    #[test]
    fn a_parameter_has_one_spelling() {
        let read = |path| u32::from_params(&params("/p/:id", path));
        assert_eq!(read("/p/42"), Some(42));
        assert_eq!([read("/p/042"), read("/p/+42"), read("/p/x"), read("/p/-1")], [None; 4]);
    }

    #[test]
    fn several_parameters_are_a_tuple_in_the_order_of_the_pattern() {
        let read = <(u16, String)>::from_params(&params("/:year/:slug", "/2026/a%20b"));
        assert_eq!(read, Some((2026, "a b".to_owned())));
        assert_eq!(
            String::from_params(&params("/:year/:slug", "/2026/a")),
            None,
            "one type for two parameters"
        );
        assert_eq!(String::from_params(&params("/d/*rest", "/d/a/b")), Some("a/b".to_owned()));
    }

    #[test]
    fn addresses_are_encoded() {
        let href = Href::fill("/p/:id", &["a b/ü".to_owned()]);
        assert_eq!(href.as_str(), "/p/a%20b%2F%C3%BC");
        assert_eq!(href.query(&[("q", &"x&y"), ("page", &2)]).as_str(), "/p/a%20b%2F%C3%BC?q=x%26y&page=2");
    }
}
