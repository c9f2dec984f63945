//! What was probably meant.

/// The known name that is spelled most like `name`, where one is near.
pub(crate) fn name<'k>(name: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    let nearest = known.into_iter().map(|known| (strsim::damerau_levenshtein(name, known), known)).min()?;
    (nearest.0 <= tolerance(name)).then_some(nearest.1)
}

/// The pattern of a route, such as `/products/:id`, that a path was probably meant for. What stands for a parameter may be anything.
pub(crate) fn route<'k>(path: &str, patterns: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    let path = path.split('?').next().unwrap_or_default();
    let distance = |pattern: &str| {
        let (mut asked, mut known) = (path.split('/').skip(1), pattern.split('/').skip(1));
        let mut sum = 0;
        loop {
            sum += match (asked.next(), known.next()) {
                (None, None) => return sum,
                (Some(_), Some(parameter)) if parameter.starts_with([':', '*', '{']) => 0,
                (Some(one), Some(other)) => strsim::damerau_levenshtein(one, other),
                (Some(left), None) | (None, Some(left)) => left.chars().count() + 1,
            };
        }
    };
    let nearest = patterns.into_iter().map(|pattern| (distance(pattern), pattern)).min()?;
    (nearest.0 <= tolerance(path)).then_some(nearest.1)
}

/// A slip in a short word, and some in a long one.
fn tolerance(text: &str) -> usize {
    (text.chars().count() / 3).clamp(1, 4)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_is_understood_and_another_word_is_not() {
        let known = ["shop", "blog", "storefront"];
        for (asked, expected) in
            [("shpo", Some("shop")), ("store-front", Some("storefront")), ("forum", None), ("x", None)]
        {
            assert_eq!(name(asked, known), expected, "{asked}");
        }
    }

    #[test]
    fn a_path_is_compared_with_routes_segment_by_segment() {
        let known = ["/", "/products", "/products/:id", "/blog/:year/:slug", "/files/*path"];
        for (asked, expected) in [
            ("/product/42", Some("/products/:id")),
            ("/prodcuts?page=2", Some("/products")),
            ("/blog/2026/a-long-title", Some("/blog/:year/:slug")),
            ("/account/settings/mail", None),
        ] {
            assert_eq!(route(asked, known), expected, "{asked}");
        }
    }
}
