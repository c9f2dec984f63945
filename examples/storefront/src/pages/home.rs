//! The front page: made once, at build.

use super::{Colour, FamilyPage};
use crate::{
    components::{Card, Place, Spectrum, frame},
    data::{
        family::Family,
        product::{Product, euros, grouped},
        products,
    },
    seed,
};
use tropos::prelude::*;

/// The colours of the fan.
pub const FAN: [&str; 16] = [
    "linen",
    "saffron",
    "apricot",
    "clay",
    "pomegranate",
    "old-rose",
    "aubergine",
    "wisteria",
    "sailing",
    "aegean-blue",
    "moroccan-blue",
    "verdigris",
    "marsh-fog",
    "victorian-garden",
    "black-forest",
    "walnut",
];

const FACTS: [(&str, &str); 3] = [
    (
        "One tin, thirty square metres",
        "A tin holds 2.5 litres. That is one coat on the walls of a small bedroom, and most colours want two.",
    ),
    (
        "Three finishes",
        "Matt for walls that have lived, eggshell for kitchens and children, gloss for doors. Each colour comes in the \
         one that suits it; ask for another at checkout.",
    ),
    (
        "No white samples of white",
        "Every swatch here is the colour itself, on a page that has none of its own. Your screen will still lie a \
         little. Paint a test patch.",
    ),
];

/// Colours, best sellers and families.
#[page("/", ssg)]
pub async fn Home(db: Db) -> PageResult {
    let fan = products::by_slugs(&db, &FAN).await?;
    let best = products::best_sellers(&db, 12).await?;
    let mut families = Vec::new();
    for family in Family::ALL {
        families.push((family, products::swatches(&db, family).await?));
    }
    frame::<Home>(Place::Shop, 0);

    let leaf = |product: Product| {
        view! {
            <li>
                <a class="leaf paint" href=Colour::href(product.slug.clone()) style=product.paint()>
                    {product.name.clone()}" "<span class="price">{euros(product.price_cents)}</span>
                </a>
            </li>
        }
    };
    let card = |(at, product)| view! { <Card product rank=at + 1/> };
    let family = |(family, swatches): (Family, Vec<products::Swatch>)| {
        view! {
            <li>
                <a href=FamilyPage::href(family)>
                    <span class="name">{family.title()}</span>
                    " "
                    <span class="count quiet">{swatches.len()}</span>
                    " "
                    <Spectrum swatches steps=32/>
                </a>
            </li>
        }
    };
    let fact = |(title, text)| view! { <div><h3>{title}</h3><p>{text}</p></div> };
    view! {
        <Title text="Umberlow: paint, by name"/>
        <Meta name="description" content="Thousands of colours, each with a name you will remember at the counter."/>
        <section class="lead">
            <h1 class="giant">"Paint, by\u{a0}name."</h1>
            <p>
                {grouped(seed::count())}
                " colours, each with a name you will remember at the counter. Mixed the day you order, in tins of two and a half litres."
            </p>
        </section>
        <ul class="fan" aria-label="Sixteen of the colours">{fan.into_iter().map(leaf).collect_view()}</ul>
        <section aria-labelledby="best">
            <div class="head-row">
                <h2 id="best">"What leaves the shop most"</h2>
                <p class="quiet">"Tins sold, all time"</p>
            </div>
            <div class="grid"><ol>{best.into_iter().enumerate().map(card).collect_view()}</ol></div>
        </section>
        <section id="families" aria-labelledby="fam">
            <div class="head-row">
                <h2 id="fam">"Twelve families"</h2>
                <p class="quiet">"Each strip runs from its lightest colour to its darkest"</p>
            </div>
            <ul class="families">{families.into_iter().map(family).collect_view()}</ul>
        </section>
        <section class="facts" aria-label="How it works">{FACTS.map(fact).collect_view()}</section>
    }
    .into_page()
}
