//! What the actions do, on the server.

use super::{Answer, Hint};
use crate::{
    data::{
        baskets::{self, Change},
        now,
        office::{self, Saved},
        orders::{self, Details, Placed},
        product::tins,
        search, staff,
    },
    hooks::Staff,
    islands::COUNT_COOKIE,
    pages::{Basket, Colour, Office, Order, SignIn},
};
use leptos::prelude::ServerFnError;
use tropos::{
    Cookies, Db, PageError, Session, State,
    cookie::{self, Cookie},
    edge::ready::{Sessions, next},
    extract, redirect_after,
};

/// Suggestions in the list.
const HINTS: i64 = 7;

/// Tells the log what went wrong, and whoever is told of errors, and the visitor that something did.
fn failed(error: impl Into<PageError>) -> ServerFnError {
    let error = error.into();
    tracing::error!(?error, "an action failed");
    if let PageError::Failed(failure) = error {
        tropos::report(failure);
    }
    ServerFnError::new("That did not work. Try again in a moment.")
}

async fn take<T: tropos::FromPage<tropos::mode::Server>>() -> Result<T, ServerFnError> {
    extract().await.map_err(failed)
}

/// Keeps the number of tins in a cookie that script may read, so that stored pages can show it without asking.
fn show_count(cookies: &Cookies, tins: i64) {
    let year = cookie::time::Duration::days(365);
    cookies.add(Cookie::build((COUNT_COOKIE, tins.to_string())).http_only(false).max_age(year).build());
}

pub(super) async fn change_basket(slug: &str, quantity: i64, add: bool) -> Result<Answer, ServerFnError> {
    let (db, session, cookies): (Db, Session, Cookies) = (take().await?, take().await?, take().await?);
    let visitor = session.start();
    let change = match add {
        true => baskets::add(&db, &visitor, slug, quantity).await,
        false => baskets::update(&db, &visitor, slug, quantity).await,
    };
    let change = change.map_err(failed)?;
    let count = baskets::tins(&db, &visitor).await.map_err(failed)?;
    show_count(&cookies, count);
    let (says, refused, to) = match change {
        Change::Done => (format!("The basket holds {}.", tins(count)), false, Basket::href()),
        Change::TooFew(product) => {
            let there = baskets::tins_of(&db, &visitor, product.id).await.map_err(failed)?;
            (too_few(product.stock, there), true, Basket::href().query(&[("short", &product.slug)]))
        }
        Change::Unknown => ("There is no such colour.".to_owned(), true, Basket::href()),
    };
    redirect_after(to).map_err(failed)?;
    Ok(Answer { tins: count, says, refused })
}

/// Why no more go into the basket.
pub(crate) fn too_few(left: i64, there: i64) -> String {
    let left = match left {
        0 => "It is out of stock".to_owned(),
        1 => "Only 1 tin is left".to_owned(),
        left => format!("Only {left} tins are left"),
    };
    match there {
        0 => format!("{left}."),
        there => format!("{left}, and the basket holds {there} of it already."),
    }
}

pub(super) async fn checkout(details: Details) -> Result<(), ServerFnError> {
    let (db, session, cookies): (Db, Session, Cookies) = (take().await?, take().await?, take().await?);
    let placed = match session.id() {
        Some(visitor) => orders::place(&db, &visitor, &details).await.map_err(failed)?,
        None => Placed::Empty,
    };
    let to = match placed {
        Placed::Order(id) => {
            show_count(&cookies, 0);
            Order::href(id)
        }
        Placed::Empty => Basket::href(),
        Placed::TooFew => Basket::href().query(&[("refused", &"stock")]),
        Placed::Incomplete => Basket::href().query(&[("refused", &"details")]),
    };
    redirect_after(to).map_err(failed)
}

pub(super) async fn save_product(
    id: i64,
    price: &str,
    stock: i64,
    q: &str,
    page: u32,
) -> Result<(), ServerFnError> {
    let db: Db = take().await?;
    let (name, id) = match office::save(&db, id, price, stock).await.map_err(failed)? {
        Saved::Done(product) => ("saved", product.id),
        Saved::Refused => ("refused", id),
        Saved::Unknown => ("unknown", id),
    };
    let to = Office::href().query(&[("q", &q), ("page", &page), (name, &id)]);
    redirect_after(format!("{to}#p-{id}")).map_err(failed)
}

pub(super) async fn sign_in(name: &str, password: &str, to: &str) -> Result<(), ServerFnError> {
    let (State(sessions), cookies): (State<Sessions<Staff>>, Cookies) = (take().await?, take().await?);
    // Whoever wrote the link to the sign-in page has chosen it: it must not lead to another site.
    let to = next::safe(to).map_or_else(|| Office::href().into(), str::to_owned);
    let Some(known) = staff::known(name, password) else {
        return redirect_after(SignIn::href().query(&[("next", &to), ("refused", &"true")])).map_err(failed);
    };
    let now = u64::try_from(now()).unwrap_or_default();
    cookies.add(sessions.issue(&known, now).map_err(failed)?);
    redirect_after(to).map_err(failed)
}

pub(super) async fn sign_out() -> Result<(), ServerFnError> {
    let (State(sessions), cookies): (State<Sessions<Staff>>, Cookies) = (take().await?, take().await?);
    cookies.add(sessions.end());
    redirect_after(SignIn::href().query(&[("out", &true)])).map_err(failed)
}

pub(super) async fn suggest(q: &str) -> Result<Vec<Hint>, ServerFnError> {
    let db: Db = take().await?;
    let found = search::search(&db, q, 1, HINTS).await.map_err(failed)?;
    let key = search::fold(q);
    let hints = found.products.into_iter().map(|product| {
        let [before, hit, after] = parts(&product.name, &key);
        let href = Colour::href(product.slug).into();
        Hint { href, hex: product.hex, family: product.family.title().to_owned(), before, hit, after }
    });
    Ok(hints.collect())
}

/// A name around the part of which `key` is the searched form.
fn parts(name: &str, key: &str) -> [String; 3] {
    let ends = || name.char_indices().map(|(at, letter)| at + letter.len_utf8());
    let starts = name.char_indices().map(|(at, _)| at);
    let hit = starts
        .flat_map(|start| ends().filter(move |end| *end > start).map(move |end| (start, end)))
        .find(|(start, end)| name.get(*start..*end).is_some_and(|part| search::key(part) == key));
    let (start, end) = hit.unwrap_or((name.len(), name.len()));
    [name.get(..start), name.get(start..end), name.get(end..)].map(|part| part.unwrap_or_default().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_part_that_was_typed_keeps_its_spelling() {
        assert_eq!(parts("Crème Brûlée", "brul"), ["Crème ", "Brûl", "ée"]);
        assert_eq!(parts("Moonlit", "moo"), ["", "Moo", "nlit"]);
        assert_eq!(parts("Clay", "x"), ["Clay", "", ""]);
    }

    #[test]
    fn what_is_left_is_said_in_words() {
        assert_eq!(too_few(3, 2), "Only 3 tins are left, and the basket holds 2 of it already.");
        assert_eq!(too_few(0, 0), "It is out of stock.");
    }
}
