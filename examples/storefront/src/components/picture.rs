//! The room that is painted.

use tropos::prelude::*;

/// The drawing. Walls are `var(--c)`; light and finish are classes that the style sheet fades in.
const ROOM: &str = include_str!("room.html");

/// A room with its walls in the colour around it, and switches for light and finish that need no script.
#[component]
pub fn Picture(
    /// The finish in which the colour is mixed.
    finish: String,
) -> impl IntoView {
    let switch = |name: &'static str, value: &'static str, checked: bool| {
        view! { <label><input type="radio" name=name value=value checked=checked/>{value}</label> }
    };
    let lights = ["morning", "noon", "evening"].map(|light| switch("light", light, light == "noon"));
    let looks = ["matt", "eggshell", "gloss"].map(|look| switch("look", look, look == finish));
    view! {
        <svg viewBox="0 0 960 640" role="img" aria-label="A room with its walls painted in this colour" inner_html=ROOM></svg>
        <div class="set">
            <fieldset class="toggle"><legend>"Light"</legend>{lights.collect_view()}</fieldset>
            <fieldset class="toggle"><legend>"Finish"</legend>{looks.collect_view()}</fieldset>
        </div>
    }
}
