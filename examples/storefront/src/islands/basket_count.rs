//! How many tins the basket holds, in the header.

use leptos::{ev, prelude::*, wasm_bindgen::JsCast};

/// The cookie that holds the number of tins. The basket itself is the database's; this is for the eye alone.
pub const COUNT_COOKIE: &str = "tins";

thread_local! {
    /// What the islands of a page know of the basket. Only the browser uses it.
    static TINS: ArcRwSignal<Option<i64>> = ArcRwSignal::new(None);
}

/// Shows another number of tins.
pub(super) fn show(tins: i64) {
    TINS.with(|shown| shown.set(Some(tins)));
}

/// What the visitor's cookie says.
fn in_cookie() -> i64 {
    let cookies = document().unchecked_into::<web_sys::HtmlDocument>().cookie().unwrap_or_default();
    let tins = cookies.split("; ").find_map(|pair| pair.strip_prefix(COUNT_COOKIE)?.strip_prefix('='));
    tins.and_then(|tins| tins.parse().ok()).unwrap_or_default()
}

/// The number of tins in the basket. A stored page is the same for everybody, so the visitor's cookie says it, and the
/// page is not asked for again.
#[island]
pub fn BasketCount(
    /// What the server knows; 0 on a stored page.
    tins: i64,
) -> impl IntoView {
    let shown = RwSignal::new(tins);
    Effect::new(move |_| {
        let tins = TINS.with(Clone::clone);
        shown.set(tins.get().unwrap_or_else(in_cookie));
    });
    // A page that the browser kept whole knows nothing of what was bought since.
    Effect::new(|_| {
        let again = window_event_listener(ev::pageshow, |_| show(in_cookie()));
        on_cleanup(move || again.remove());
    });
    view! { <span class="count">{move || Some(shown.get()).filter(|tins| *tins > 0)}</span> }
}
