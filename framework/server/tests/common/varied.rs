//! Pages in front of which hooks decide: one of two variants, and one that is the same for all.

use super::common::Reads;
use leptos::prelude::*;
use tropos::{PageResult, State, Variant, edge::VariantName as _, page, prelude::*};

tropos::edge::variant! { pub enum Ab: "ab" { A = "a", B = "b" } }

#[page("/variant/:key", isr(revalidate = "60s", variants = Ab))]
pub async fn Varied(
    Path(key): Path<String>,
    Variant(side): Variant<Ab>,
    State(reads): State<Reads>,
) -> PageResult {
    view! { <p id="side">{format!("{key} {} {}", side.as_str(), reads.one())}</p> }.into_page()
}

#[page("/open", isr(revalidate = "60s"))]
pub async fn Open() -> PageResult {
    view! { <p id="key">"open"</p> }.into_page()
}
