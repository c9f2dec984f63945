// Components as they were compiled.

use leptos::prelude::*;

pub fn text() -> impl IntoView {
    view! { <p>"one"</p> }
}

pub fn texts() -> impl IntoView {
    let name = String::from("Ann");
    view! { <p>"Hello " {name} "!" <b>"x" "y"</b></p> }
}

pub fn attributes() -> impl IntoView {
    let on = true;
    view! {
        <div id="a" class="box" class:on=on title="t" hidden>
            <a href="/x" data-k="1">"link"</a>
            <p style="color: red">"red"</p>
        </div>
    }
}

pub fn wrapped() -> impl IntoView {
    let name = String::from("Ann");
    view! {
        <main>
            <h1>"Title"</h1>
            {name}
            <p>"tail"</p>
        </main>
    }
}

pub fn fragment() -> impl IntoView {
    let name = String::from("Ann");
    view! {
        <h1>"Title"</h1>
        {name}
        "end"
    }
}

pub fn rows() -> impl IntoView {
    let rows = move || (0..3).map(|n| view! { <li>"row " {n}</li> }).collect_view();
    view! { <ul>{rows}</ul> <p>"of three"</p> }
}

#[component]
fn Card(children: Children) -> impl IntoView {
    view! { <section class="card"><h2>"Card"</h2>{children()}</section> }
}

pub fn components() -> impl IntoView {
    let name = String::from("Ann");
    view! {
        <div>
            <Card><p>"one " {name}</p></Card>
            <Card>"lone"</Card>
            <Card><Card><em>"deep"</em></Card></Card>
        </div>
    }
}

pub fn each() -> impl IntoView {
    let list = || vec![1, 2, 3];
    view! {
        <ol>
            <For each=list key=|n| *n let:n>
                <li>"item " {n}</li>
            </For>
        </ol>
    }
}

pub fn shown() -> impl IntoView {
    view! {
        <Show when=|| true fallback=|| {
            view! { <i>"no"</i> }
        }>
            <b>"yes"</b>
        </Show>
    }
}

pub fn nothing() -> impl IntoView {
    let none: Option<String> = None;
    view! {
        <p>
            "a"
            {none}
            "b" {None::<u8>} <br/> {vec!["c", "d"]}
        </p>
    }
}

pub fn moved() -> impl IntoView {
    let (a, b) = ("A".to_string(), 2);
    view! {
        <div>
            <p>{a} "-" <input value="v"/></p>
            <svg viewBox="0 0 1 1"><circle r="1"></circle></svg>
            <span>{b}</span>
        </div>
    }
}

pub fn escapes() -> impl IntoView {
    view! { <p title="&lt; \"q\" <">"a < b & c"</p> <pre>"x\ny"</pre> <i></i> }
}

pub fn inert() -> impl IntoView {
    view! { <div><ul class=" a "><li>"1" "2"</li><li style="top: 0">"3" ""</li></ul></div> }
}
