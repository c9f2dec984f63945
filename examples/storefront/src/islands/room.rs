//! The room: how many tins its walls take.

use leptos::prelude::*;

/// A tin covers so many square metres once.
const COVERS: u32 = 30;

/// A room in a colour. The picture and its switches are the server's and work by CSS; what the island adds is the
/// number of tins for two coats.
#[island]
pub fn Room(
    /// What a tin costs.
    price_cents: u32,
    children: Children,
) -> impl IntoView {
    let (area, set_area) = signal(42);
    let takes = move || {
        let tins = (area.get() * 2_u32).div_ceil(COVERS);
        let cents = tins * price_cents;
        let (euros, cents) = ((cents / 100).to_string(), (cents % 100).to_string());
        let word = if tins == 1 { " tin" } else { " tins" };
        let zero = if cents.len() < 2 { "0" } else { "" };
        [&tins.to_string(), word, " for two coats, €", &euros, ".", zero, &cents].concat()
    };
    view! {
        {children()}
        <div class="tins">
            <label for="area">"Walls, in square metres"</label>
            <input
                id="area"
                type="number"
                name="area"
                min="1"
                max="900"
                value="42"
                on:input=move |event| {
                    if let Ok(area) = event_target_value(&event).parse::<u32>() {
                        set_area.set(area.clamp(1, 900));
                    }
                }
            />
            <output for="area">{takes}</output>
        </div>
    }
}
