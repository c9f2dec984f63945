//! A placed order: made for every request, for the visitor who placed it.

use super::{Board, Home, tins_of};
use crate::{
    components::{Place, frame},
    data::{
        orders::{self, OrderLine},
        product::{euros, paint, tins},
    },
};
use tropos::{Cookies, Session, prelude::*};

/// What was ordered.
#[page("/order/:id", server)]
pub async fn Order(Path(id): Path<i64>, session: Session, cookies: Cookies, db: Db) -> PageResult {
    let visitor = session.id().or_not_found()?;
    let (order, lines) = orders::by_id(&db, &visitor, id).await?.or_not_found()?;
    frame::<Order>(Place::Shop, tins_of(&cookies));

    let stripe = |line: &OrderLine| {
        let style = format!("{};--n:{}", paint(&line.product.hex), line.quantity);
        view! { <span class="paint" style=style>{line.product.name.clone()}</span> }
    };
    let finish = order.finish.clone();
    let line = move |line: &OrderLine| {
        let finish = if finish == "as-mixed" { &line.product.finish } else { &finish };
        let what = format!("{} × {}, {finish}", line.quantity, line.product.name);
        view! { <div><dt>{what}</dt><dd>{euros(line.paid_cents * line.quantity)}</dd></div> }
    };
    let number = format!("Order {id}");
    view! {
        <Title text=format!("{number} · Umberlow")/>
        <div class="stripe" aria-hidden="true">{lines.iter().map(stripe).collect_view()}</div>
        <header class="page-head">
            <h1>"Thank you. It is being mixed."</h1>
            <p>{format!("{number}, {}. It is on ", tins(order.tins))}<a href=Board::href()>"the board"</a>" already."</p>
        </header>
        <section class="receipt" aria-label=number>
            <dl class="totals">
                {lines.iter().map(line).collect_view()}
                <div class="sum"><dt>"Total"</dt><dd>{euros(order.total_cents)}</dd></div>
            </dl>
            <p><a class="button plain" href=Home::href()>"Back to the shop"</a></p>
        </section>
    }
    .into_page()
}
