// The same, edited. No expression is new.
//
// Lines moved, too.

use leptos::prelude::*;

pub fn text() -> impl IntoView {
    view! { <p>"two" <b>"three"</b></p> }
}

pub fn texts() -> impl IntoView {
    let name = String::from("Ann");
    view! { <p><em>"Hi " {name}</em> <b>"x" "z"</b> "?"</p> }
}

pub fn attributes() -> impl IntoView {
    let on = true;
    view! {
        <div id="b" class="big box" class:on=on lang="en">
            <a href="/y" data-j="2">"link" "s"</a>
            <p style="color: blue" class="c">"red"</p>
        </div>
    }
}

pub fn wrapped() -> impl IntoView {
    let name = String::from("Ann");
    view! {
        <main>
            <h1>"Title"</h1>
            <div class="w"><p>"tail"</p>{name}</div>
            <hr/>
        </main>
    }
}

pub fn fragment() -> impl IntoView {
    let name = String::from("Ann");
    view! {
        "start"
        <p>{name}</p>
        <h1>"Title"</h1>
    }
}

pub fn rows() -> impl IntoView {
    let rows = move || (0..3).map(|n| view! { <li class="r"><b>{n}</b> ". row"</li> }).collect_view();
    view! { <ul>{rows}</ul> <p>"of" " three"</p> }
}

#[component]
fn Card(children: Children) -> impl IntoView {
    view! { <section class="card"><h3>"A card"</h3><div>{children()}</div></section> }
}

pub fn components() -> impl IntoView {
    let name = String::from("Ann");
    view! {
        <div>
            <Card><p class="x">"two " <b>{name}</b></p></Card>
            <Card>"alone"</Card>
            <Card><Card><em>"deeper"</em></Card></Card>
        </div>
    }
}

pub fn each() -> impl IntoView {
    let list = || vec![1, 2, 3];
    view! {
        <ol>
            <For each=list key=|n| *n let:n>
                <li>{n} " item"</li>
            </For>
        </ol>
    }
}

pub fn shown() -> impl IntoView {
    view! {
        <Show when=|| true fallback=|| {
            view! { <i>"none"</i> }
        }>
            <b>"indeed"</b> "!"
        </Show>
    }
}

pub fn nothing() -> impl IntoView {
    let none: Option<String> = None;
    view! {
        <p>
            "a"
            {none}
            "c" {None::<u8>} <hr/> <u>{vec!["c", "d"]}</u>
        </p>
    }
}

pub fn moved() -> impl IntoView {
    let (a, b) = ("A".to_string(), 2);
    view! {
        <div>
            <span>{b}</span>
            <svg viewBox="0 0 1 1"><circle r="2"></circle><path d="M0 0"></path></svg>
            <p><input value="w"/> "+" {a}</p>
        </div>
    }
}

pub fn escapes() -> impl IntoView {
    view! { <p title="> & 'q'">"a > b &amp; c"</p> <pre>"x\nz"</pre> <i>""</i> }
}

pub fn inert() -> impl IntoView {
    view! { <div><ul class=" b "><li>"1" "4"</li><li style="top: 1">"" "3"</li></ul> "t"</div> }
}
