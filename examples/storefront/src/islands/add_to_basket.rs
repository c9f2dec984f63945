//! The form that puts a colour into the basket.

use super::basket_count;
use crate::actions::{AddToBasket as Action, Answer, add_to_basket};
use leptos::{prelude::*, server_fn::ServerFn, task::spawn_local};

/// Puts a colour into the basket. Without script it is a plain form.
#[island]
pub fn AddToBasket(
    /// Which colour.
    slug: String,
    /// The most that can be had.
    most: i64,
) -> impl IntoView {
    let field = NodeRef::new();
    let (waits, set_waits) = signal(false);
    let (answer, set_answer) = signal(None::<Answer>);
    let form = slug.clone();
    let add = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        if waits.get_untracked() {
            return;
        }
        let field: Option<web_sys::HtmlInputElement> = field.get_untracked();
        let quantity = field.and_then(|field| field.value().parse().ok()).unwrap_or(1);
        let slug = slug.clone();
        set_waits.set(true);
        spawn_local(async move {
            let answer = add_to_basket(slug, quantity).await.unwrap_or_else(|_| Answer {
                tins: -1,
                says: "That did not work. Try again in a moment.".to_owned(),
                refused: true,
            });
            if answer.tins >= 0 {
                basket_count::show(answer.tins);
            }
            set_answer.set(Some(answer));
            set_waits.set(false);
        });
    };
    view! {
        <form method="post" action=Action::url() on:submit=add>
            <input type="hidden" name="slug" value=form/>
            <label class="field">
                "Tins "
                <input
                    type="number"
                    name="quantity"
                    value="1"
                    min="1"
                    max=most
                    inputmode="numeric"
                    required
                    node_ref=field
                />
            </label>
            <button aria-busy=move || waits.get().then_some("true")>"Add to basket"</button>
            <p class="says-so" role="status" class:error=move || answer.with(|a| a.as_ref().is_some_and(|a| a.refused))>
                {move || answer.with(|answer| answer.as_ref().map(|answer| answer.says.clone()))}
            </p>
        </form>
    }
}
