//! The search field, with suggestions while one types.

use crate::actions::{Hint, suggest};
use leptos::{ev::KeyboardEvent, leptos_dom::helpers::TimeoutHandle, prelude::*, task::spawn_local};
use std::time::Duration;

/// So long after the last key the server is asked.
const PAUSE: Duration = Duration::from_millis(120);

/// Shorter texts would suggest anything.
const SHORTEST: usize = 2;

/// The search field. Without script it is a plain form.
#[island]
pub fn SearchSuggestions(
    /// Where results are.
    action: String,
    /// What was searched for.
    query: String,
    /// What the field asks for.
    placeholder: String,
    /// What the field is called.
    label: String,
) -> impl IntoView {
    let (hints, set_hints) = signal(Vec::<Hint>::new());
    let (active, set_active) = signal(None::<usize>);
    let asked = StoredValue::new(0_u32);
    let timer = StoredValue::new(None::<TimeoutHandle>);
    let close = move || {
        asked.update_value(|asked| *asked += 1);
        set_hints.set(Vec::new());
        set_active.set(None);
    };
    let type_ = move |event| {
        let text = event_target_value(&event);
        if let Some(timer) = timer.get_value() {
            timer.clear();
        }
        if text.trim().len() < SHORTEST {
            return close();
        }
        let ask = move || {
            asked.update_value(|asked| *asked += 1);
            let this = asked.get_value();
            spawn_local(async move {
                let found = suggest(text).await.unwrap_or_default();
                // An answer that was overtaken says nothing any more.
                if asked.get_value() == this {
                    set_active.set(None);
                    set_hints.set(found);
                }
            });
        };
        timer.set_value(set_timeout_with_handle(ask, PAUSE).ok());
    };
    let steer = move |event: KeyboardEvent| {
        let count = hints.with(Vec::len);
        match event.key().as_str() {
            "Escape" => close(),
            "ArrowDown" if count > 0 => {
                event.prevent_default();
                set_active.update(|at| *at = Some(at.map_or(0, |at| (at + 1) % count)));
            }
            "ArrowUp" if count > 0 => {
                event.prevent_default();
                set_active
                    .update(|at| *at = Some(at.map_or(count, |at| at + count).saturating_sub(1) % count));
            }
            "Enter" => {
                let chosen = active.get_untracked().and_then(|at| hints.with(|hints| hints.get(at).cloned()));
                if let Some(hint) = chosen {
                    event.prevent_default();
                    go_to(&hint.href);
                }
            }
            _ => {}
        }
    };
    let options = move || {
        let option = |(at, hint): (usize, Hint)| {
            view! {
                <li
                    role="option"
                    id=["hint-", &at.to_string()].concat()
                    aria-selected=move || if active.get() == Some(at) { "true" } else { "false" }
                    on:mousedown=move |_| go_to(&hint.href)
                >
                    <span class="chip paint" style=["--c:", &hint.hex].concat()></span>
                    <span class="name">{hint.before}<mark>{hint.hit}</mark>{hint.after}</span>
                    <span class="quiet">{hint.family}</span>
                </li>
            }
        };
        hints.get().into_iter().enumerate().map(option).collect_view()
    };
    view! {
        <form class="search" role="search" method="get" action=action>
            <label class="off" for="q">{label}</label>
            <input
                id="q"
                type="search"
                name="q"
                value=query
                placeholder=placeholder
                autocomplete="off"
                role="combobox"
                aria-controls="hints"
                aria-expanded=move || if hints.with(Vec::is_empty) { "false" } else { "true" }
                aria-activedescendant=move || active.get().map(|at| ["hint-", &at.to_string()].concat())
                on:input=type_
                on:keydown=steer
                on:blur=move |_| close()
            />
            <button>"Search"</button>
            <ul
                class="suggest"
                id="hints"
                role="listbox"
                aria-label="Suggestions"
                hidden=move || hints.with(Vec::is_empty)
            >
                {options}
            </ul>
        </form>
    }
}

fn go_to(href: &str) {
    // Where the browser refuses, it stays where it is.
    let _ = window().location().set_href(href);
}
