//! Where to begin, for those who found nothing.

use crate::{data::product::Product, data::products, pages::Colour};
use tropos::{Result, prelude::*};

/// Colours that are worth a look.
pub const TRIES: [&str; 6] = ["saffron", "verdigris", "oat-milk", "petrichor", "oxblood", "sailing"];

/// The products to try.
pub async fn to_try(db: &Db) -> Result<Vec<Product>> {
    products::by_slugs(db, &TRIES).await
}

/// Links to colours that are worth a look.
#[component]
pub fn Tries(products: Vec<Product>) -> impl IntoView {
    let link = |product: Product| {
        view! {
            <li>
                <a class="paint" href=Colour::href(product.slug.clone()) style=product.paint()>
                    {product.name.clone()}
                </a>
            </li>
        }
    };
    view! { <ul class="tries">{products.into_iter().map(link).collect_view()}</ul> }
}
