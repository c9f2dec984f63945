//! What an edit of a source is: nothing, a patch, or code.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]
#![allow(clippy::disallowed_methods, reason = "one test measures")]

use serde_json::json;
use tropos_dev::views::{Change, Sources};

const PATH: &str = "src/app.rs";

/// `None`, `Patch` or `Code`, of two whole sources.
fn kind(old: &str, new: &str) -> &'static str {
    let mut sources = Sources::new();
    sources.load(PATH, old);
    match sources.change(PATH, new) {
        Change::None => "None",
        Change::Patch(_) => "Patch",
        _ => "Code",
    }
}

fn function(view: &str) -> String {
    format!(
        "fn page(name: String) -> impl IntoView {{\n    view! {{\n{view}\n    }}\n}}\n\
         #[component] fn Card(children: Children) -> impl IntoView {{ view! {{ <div class=\"card\">{{children()}}</div> }} }}\n\
         #[component] fn Named(children: String) -> impl IntoView {{ view! {{ <i id=children>\"n\"</i> }} }}\n"
    )
}

#[test]
fn edits_of_a_view() {
    let table: &[(&str, &str, &str, &str)] = &[
        // What differs in nothing.
        ("the same", "<p>\"a\"</p>", "<p>\"a\"</p>", "None"),
        ("whitespace between nodes", "<p>\"a\"</p>", "<p>\n  \"a\"\n</p>", "None"),
        ("a Rust comment", "<p>\"a\"</p>", "<p>// why\n\"a\"</p>", "None"),
        ("an HTML comment", "<p>\"a\"</p>", "<p><!-- \"why\" -->\"a\"</p>", "None"),
        ("a block around a string", "<p>\"a\"</p>", "<p>{\"a\"}</p>", "None"),
        ("a raw string", "<p>\"a\"</p>", "<p>r#\"a\"#</p>", "None"),
        ("an escape for the same character", "<p>\"\u{e9}\"</p>", "<p>\"\\u{e9}\"</p>", "None"),
        ("attributes in another order", "<p id=\"a\" lang=\"b\"/>", "<p lang=\"b\" id=\"a\"/>", "None"),
        ("an end tag", "<p></p>", "<p/>", "None"),
        ("whitespace in an expression", "<p>{name . clone()}</p>", "<p>{name.clone()}</p>", "None"),
        ("a block around a value", "<p class=\"a\"/>", "<p class={\"a\"}/>", "None"),
        // Text.
        ("a text", "<p>\"a\"</p>", "<p>\"b\"</p>", "Patch"),
        ("a text at the edge of a fragment", "\"a\"<p/>", "\"b\"<p/>", "Patch"),
        ("a text in a block", "<p>{\"a\"}</p>", "<p>{\"b\"}</p>", "Patch"),
        ("a text that comes", "<p></p>", "<p>\"a\"</p>", "Patch"),
        ("a text that goes", "<p>\"a\"</p>", "<p></p>", "Patch"),
        ("a text before an expression", "<p>\"a\"{name}</p>", "<p>\"b\"{name}</p>", "Patch"),
        ("a text between expressions", "<p>{a}\"x\"{b}</p>", "<p>{a}\"y\"{b}</p>", "Patch"),
        ("an unquoted word", "<p>a</p>", "<p>b</p>", "Patch"),
        ("unquoted words", "<p>a b</p>", "<p>a c</p>", "Code"),
        ("spaces between unquoted words", "<p>Hello - world</p>", "<p>Hello-world</p>", "Code"),
        ("spaces between unquoted words further in", "<p><b>a . b</b></p>", "<p><b>a.b</b></p>", "Code"),
        ("unquoted words, the same", "<p>a b</p>", "<p>a b</p>", "None"),
        (
            "a view beside unquoted words",
            "<p>a b {view! { <i>\"x\"</i> }}</p>",
            "<p>a b {view! { <i>\"y\"</i> }}</p>",
            "Patch",
        ),
        (
            "spaces beside a view",
            "<p>a é {view! { <i/> }} b - c</p>",
            "<p>a é {view! { <i/> }} b-c</p>",
            "Code",
        ),
        (
            "whitespace in a view that is none of ours, without unquoted words",
            "<!DOCTYPE html> <p>\"a\"</p>",
            "<!DOCTYPE html>\n<p>\"a\"</p>",
            "None",
        ),
        ("a text with a carriage return", "<p>\"a\"</p>", "<p>\"a\\r\\n\"</p>", "Code"),
        ("a number is an expression", "<p>{1}</p>", "<p>{2}</p>", "Code"),
        // Attributes.
        ("an attribute's value", "<p id=\"a\"/>", "<p id=\"b\"/>", "Patch"),
        ("an attribute that comes", "<p/>", "<p id=\"b\"/>", "Patch"),
        ("an attribute that goes", "<p id=\"b\"/>", "<p/>", "Patch"),
        ("a flag", "<input/>", "<input disabled/>", "Patch"),
        ("a flag by a bool", "<input disabled=true/>", "<input disabled=false/>", "Patch"),
        ("a number", "<p tabindex=0/>", "<p tabindex=1/>", "Patch"),
        ("a data attribute", "<p data-a=\"1\"/>", "<p data-a=\"2\"/>", "Patch"),
        (
            "a static one beside a dynamic one",
            "<p id=\"a\" title=name/>",
            "<p id=\"b\" title=name/>",
            "Patch",
        ),
        ("a class", "<p class=\"a\"/>", "<p class=\"a b\"/>", "Patch"),
        (
            "a class beside a switched one",
            "<p class=\"a\" class:on=on/>",
            "<p class=\"b\" class:on=on/>",
            "Patch",
        ),
        (
            "a class that is switched too",
            "<p class=\"a\" class:on=on/>",
            "<p class=\"on\" class:on=on/>",
            "Code",
        ),
        (
            "a class beside a pair",
            "<p class=\"a\" class=(\"on\", on)/>",
            "<p class=\"b\" class=(\"on\", on)/>",
            "Code",
        ),
        ("a style", "<p style=\"color: red\"/>", "<p style=\"color: blue\"/>", "Patch"),
        (
            "a style beside a switched one",
            "<p style=\"a: b\" style:c=c/>",
            "<p style=\"a: d\" style:c=c/>",
            "Code",
        ),
        ("an attribute beside a spread", "<p id=\"a\" {..rest}/>", "<p id=\"b\" {..rest}/>", "Code"),
        (
            "a value that is bound",
            "<input value=\"a\" prop:value=v/>",
            "<input value=\"b\" prop:value=v/>",
            "Code",
        ),
        ("a dynamic value", "<p id=a/>", "<p id=b/>", "Code"),
        ("a dynamic value for a static one", "<p id=\"a\"/>", "<p id=a/>", "Code"),
        ("a switched class", "<p class:a=on/>", "<p class:b=on/>", "Code"),
        ("a listener", "<p on:click=a/>", "<p on:click=b/>", "Code"),
        ("a directive", "<p use:a/>", "<p use:b/>", "Code"),
        ("inner_html", "<p inner_html=\"a\"/>", "<p inner_html=\"b\"/>", "Code"),
        ("a namespace", "<use xlink:href=\"#a\"/>", "<use xlink:href=\"#b\"/>", "Code"),
        // Structure.
        ("an element that comes", "<p>\"a\"</p>", "<p>\"a\"<b>\"c\"</b></p>", "Patch"),
        ("an element that goes", "<p>\"a\"<b>\"c\"</b></p>", "<p>\"a\"</p>", "Patch"),
        ("another name", "<p><b>\"a\"</b></p>", "<p><i>\"a\"</i></p>", "Patch"),
        ("an element around an expression", "<p>{name}</p>", "<p><b>{name}</b></p>", "Patch"),
        ("an element around a component", "<p><Card/></p>", "<p><b><Card/></b></p>", "Patch"),
        (
            "an element around one with a listener",
            "<p><i on:click=a/></p>",
            "<p><b><i on:click=a/></b></p>",
            "Patch",
        ),
        ("elements change places", "<p><b/><i/></p>", "<p><i/><b/></p>", "Patch"),
        ("an expression that only reads moves", "<p>{a}<hr/>{b}</p>", "<p>{b}<hr/>{a}</p>", "Patch"),
        ("an expression that only reads goes", "<p>\"a\"{move || name.get()}</p>", "<p>\"a\"</p>", "Patch"),
        ("an element with a listener goes", "<p><i on:click=move |_| go()/></p>", "<p></p>", "Patch"),
        ("a fragment for an element", "<p/>", "<p/><p/>", "Patch"),
        (
            "a drawing",
            "<svg viewBox=\"0 0 1 1\"><path d=\"M0\"/></svg>",
            "<svg viewBox=\"0 0 2 2\"><path d=\"M1\"/></svg>",
            "Patch",
        ),
        (
            "an expression that calls moves past another",
            "<p>{a()}<hr/>{b()}</p>",
            "<p>{b()}<hr/>{a()}</p>",
            "Code",
        ),
        ("an expression that calls goes", "<p>\"a\"{a()}</p>", "<p>\"a\"</p>", "Code"),
        ("a component goes", "<p>\"a\"<Card/></p>", "<p>\"a\"</p>", "Code"),
        ("a new expression", "<p>\"a\"</p>", "<p>\"a\"{name}</p>", "Code"),
        ("an expression twice", "<p>{name}</p>", "<p>{name}<br/>{name}</p>", "Code"),
        ("another expression", "<p>{a}</p>", "<p>{b}</p>", "Code"),
        ("what comes between two expressions", "<p>{a}{b}</p>", "<p>{a}<br/>{b}</p>", "Code"),
        ("a format string", "<p>{format!(\"a {name}\")}</p>", "<p>{format!(\"b {name}\")}</p>", "Code"),
        ("a doctype", "<!DOCTYPE html> <p>\"a\"</p>", "<!DOCTYPE html><p>\"b\"</p>", "Code"),
        ("a script", "<script>\"a\"</script>", "<script>\"b\"</script>", "Code"),
        ("a style sheet", "<style>\"a\"</style>", "<style>\"b\"</style>", "Code"),
        (
            "what stands beside a script",
            "<p>\"a\"</p><script>\"x\"</script>",
            "<p>\"b\"</p><script>\"x\"</script>",
            "Patch",
        ),
        ("a field of text", "<textarea>\"a\"</textarea>", "<textarea>\"b\"</textarea>", "Code"),
        ("a line break that a parser drops", "<pre>\"a\"</pre>", "<pre>\"\\na\"</pre>", "Code"),
        ("a lone text, which has no markers", "\"a\"", "\"b\"", "Code"),
        ("a lone fragment, which has no markers", "<><p>\"a\"</p></>", "<><p>\"b\"</p></>", "Code"),
        ("a class of the whole view", "class = \"x\", <p>\"a\"</p>", "class = \"x\", <p>\"b\"</p>", "Code"),
        ("a tag that is not closed", "<p>\"a\"</p>", "<p>\"b\"", "Code"),
        // Components.
        ("a string for a property", "<Card title=\"a\"/>", "<Card title=\"b\"/>", "Code"),
        ("a text beside a component", "<p>\"a\"<Card/></p>", "<p>\"b\"<Card/></p>", "Patch"),
        (
            "a text among a component's children",
            "<Card><p>\"one\"</p></Card>",
            "<Card><p>\"two\"</p></Card>",
            "Patch",
        ),
        ("a lone text as its children", "<Card>\"one\"</Card>", "<Card>\"two\"</Card>", "Patch"),
        (
            "a lone text, for a component that takes a string",
            "<Named>\"one\"</Named>",
            "<Named>\"two\"</Named>",
            "Code",
        ),
        (
            "a lone text, for a component that is not known",
            "<Other>\"one\"</Other>",
            "<Other>\"two\"</Other>",
            "Code",
        ),
        (
            "a component in a component",
            "<Card><Card><b>\"one\"</b></Card></Card>",
            "<Card><Card><b>\"two\"</b></Card></Card>",
            "Patch",
        ),
        (
            "children that are there twice",
            "<Card><p>\"one\"</p></Card><p>\"one\"</p>",
            "<Card><p>\"two\"</p></Card><p>\"one\"</p>",
            "Code",
        ),
        ("an expression among children", "<Card><p>{a}</p></Card>", "<Card><p>{b}</p></Card>", "Code"),
        ("an expression leaves a component", "<Card><p>{a}</p></Card>", "<Card><p></p></Card>{a}", "Code"),
        (
            "rows",
            "<ul><For each=a key=b let:c><li>\"x\" {c}</li></For></ul>",
            "<ul><For each=a key=b let:c><li>\"y\" {c}</li></For></ul>",
            "Patch",
        ),
        ("children that come", "<Card/>", "<Card><p/></Card>", "Code"),
        ("a slot", "<Card><Then slot>\"a\"</Then></Card>", "<Card><Then slot>\"b\"</Then></Card>", "Code"),
        // Views in views.
        (
            "a view in a closure",
            "<p>{move || view! { <b>\"a\"</b> }}</p>",
            "<p>{move || view! { <b>\"b\"</b> }}</p>",
            "Patch",
        ),
        (
            "two views on one line",
            "<p>{if a {\nview! { <b>\"a\"</b> }} else { view! { <i/> }}}</p>",
            "<p>{if a {\nview! { <b>\"b\"</b> }} else { view! { <i/> }}}</p>",
            "Code",
        ),
        (
            "a view in a property",
            "<Show when=a fallback=||\nview! { <b>\"a\"</b> }><i/></Show>",
            "<Show when=a fallback=||\nview! { <b>\"b\"</b> }><i/></Show>",
            "Patch",
        ),
    ];
    let mut wrong = Vec::new();
    for (name, old, new, expected) in table {
        let found = kind(&function(old), &function(new));
        if found != *expected {
            wrong.push(format!("{name}: {found}, not {expected}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn edits_of_what_is_around() {
    let table: &[(&str, &str, &str, &str)] = &[
        ("a comment", "fn a() {}", "// why\nfn a() {}", "None"),
        ("a doc comment", "fn a() {}", "/// why\nfn a() {}", "Code"),
        ("a function", "fn a() {}", "fn b() {}", "Code"),
        ("a view more", "fn a() {}", "fn a() { view! { <p/> } }", "Code"),
        (
            "a view in a macro",
            "macro_rules! m { () => { view! { <p>\"a\"</p> } } }",
            "macro_rules! m { () => { view! { <p>\"b\"</p> } } }",
            "Code",
        ),
        (
            "a view in another macro's tokens",
            "fn a() { vec![view! { <p>\"a\"</p> }] }",
            "fn a() { vec![view! { <p>\"b\"</p> }] }",
            "Patch",
        ),
        (
            "a view by its path",
            "fn a() { leptos::view! { <p>\"a\"</p> } }",
            "fn a() { leptos::view! { <p>\"b\"</p> } }",
            "Patch",
        ),
        (
            "a template",
            "fn a() { template! { <p>\"a\"</p> } }",
            "fn a() { template! { <p>\"b\"</p> } }",
            "Code",
        ),
        ("not Rust", "fn a() {}", "fn a() { \"", "Code"),
        ("text in a string", "fn a() { \"<p>a</p>\" }", "fn a() { \"<p>b</p>\" }", "Code"),
    ];
    for (name, old, new, expected) in table {
        assert_eq!(kind(old, new), *expected, "{name}");
    }
}

/// The one patch from a view to another.
fn patch(old: &str, new: &str) -> serde_json::Value {
    let mut sources = Sources::new();
    sources.load(PATH, &function(old));
    let Change::Patch(patches) = sources.change(PATH, &function(new)) else {
        panic!("no patch: {old} to {new}")
    };
    let mut patch = serde_json::to_value(&patches).unwrap().as_array().unwrap()[0].clone();
    assert_eq!(patch["id"], "src-app.rs-2");
    assert_eq!(patch["base"], patch["from"]);
    assert_ne!(patch["from"], patch["to"]);
    json!([patch["old"].take(), patch["new"].take()])
}

#[test]
fn the_very_patch() {
    let table = [
        (
            "a text",
            "<p>\"a\"</p>",
            "<p>\"b\"</p>",
            json!([[{"n": 0, "tag": "p", "children": [{"n": 1, "text": "a"}]}],
                   [{"n": 0, "tag": "p", "children": [{"n": 1, "text": "b"}]}]]),
        ),
        (
            "texts of a static element are one",
            "<div><p>\"a\" \"b\"</p></div>",
            "<div><p>\"c\"</p></div>",
            json!([[{"n": 0, "tag": "div", "children": [{"n": 1, "tag": "p", "children": [{"n": 2, "text": "ab"}]}]}],
                   [{"n": 0, "tag": "div", "children": [{"n": 1, "tag": "p", "children": [{"n": 2, "text": "c"}]}]}]]),
        ),
        (
            "texts of an outermost element are not",
            "<p>\"a\" \"b\"</p>",
            "<p>\"c\" \"b\"</p>",
            json!([[{"n": 0, "tag": "p", "children": [{"n": 1, "text": "a"}, {"n": 2, "text": "b"}]}],
                   [{"n": 0, "tag": "p", "children": [{"n": 1, "text": "c"}, {"n": 2, "text": "b"}]}]]),
        ),
        (
            "an empty text is a space where the server writes it",
            "<p>\"a\"</p>",
            "<p>\"\"</p>",
            json!([[{"n": 0, "tag": "p", "children": [{"n": 1, "text": "a"}]}],
                   [{"n": 0, "tag": "p", "children": [{"n": 1, "text": " "}]}]]),
        ),
        (
            "attributes",
            "<a id=\"a\" href=\"/x\" hidden/>",
            "<a id=\"b\" rel=\"y\" href=\"/x\"/>",
            json!([[{"n": 0, "tag": "a", "children": []}],
                   [{"n": 0, "tag": "a", "set": {"id": "b", "rel": "y"}, "remove": ["hidden"], "children": []}]]),
        ),
        (
            "classes",
            "<a class=\" a b \"/>",
            "<a class=\"b c\"/>",
            json!([[{"n": 0, "tag": "a", "children": []}],
                   [{"n": 0, "tag": "a", "class": ["a b", "b c"], "children": []}]]),
        ),
        (
            "a style as the server writes it",
            "<a/>",
            "<a style=\"color: red\"/>",
            json!([[{"n": 0, "tag": "a", "children": []}],
                   [{"n": 0, "tag": "a", "set": {"style": "color: red;"}, "children": []}]]),
        ),
        (
            "what is around an expression",
            "<p>\"a\" {name} \"!\"</p>",
            "<p><b>{name}</b> \"!\"</p>",
            json!([[{"n": 0, "tag": "p", "children": [{"n": 1, "text": "a"}, {"n": 2, "inner": []}, {"n": 3, "text": "!"}]}],
                   [{"n": 0, "tag": "p", "children": [{"tag": "b", "children": [{"run": 2}]}, {"n": 3, "text": "!"}]}]]),
        ),
        (
            "expressions beside each other are one",
            "<p>{a}{b}\"x\"</p>",
            "<p>\"x\"{a}{b}</p>",
            json!([[{"n": 0, "tag": "p", "children": [{"n": 1, "inner": []}, {"n": 2, "text": "x"}]}],
                   [{"n": 0, "tag": "p", "children": [{"n": 2, "text": "x"}, {"run": 1}]}]]),
        ),
        (
            "a sealed element",
            "<div><script>\"a\"</script><p>\"x\"</p></div>",
            "<div><p>\"y\"</p><script>\"a\"</script></div>",
            json!([[{"n": 0, "tag": "div", "children": [{"n": 1, "tag": "script"}, {"n": 2, "tag": "p", "children": [{"n": 3, "text": "x"}]}]}],
                   [{"n": 0, "tag": "div", "children": [{"n": 2, "tag": "p", "children": [{"n": 3, "text": "y"}]}, {"n": 1, "tag": "script"}]}]]),
        ),
        (
            "an element that was elsewhere is moved",
            "<div><p><b>\"x\"</b></p><i/></div>",
            "<div><p></p><i><b>\"x\"</b></i></div>",
            json!([[{"n": 0, "tag": "div", "children": [
                       {"n": 1, "tag": "p", "children": [{"n": 2, "tag": "b", "children": [{"n": 3, "text": "x"}]}]},
                       {"n": 4, "tag": "i", "children": []}]}],
                   [{"n": 0, "tag": "div", "children": [
                       {"n": 1, "tag": "p", "children": []},
                       {"n": 4, "tag": "i", "children": [{"n": 2, "tag": "b", "children": [{"n": 3, "text": "x"}]}]}]}]]),
        ),
        (
            "children of a component are looked for in what it rendered",
            "<Card><p>\"one\"</p>{name}</Card>",
            "<Card><p>\"two\"</p>{name}</Card>",
            json!([[{"n": 0, "inner": [{"many": false,
                       "old": [{"n": 0, "tag": "p", "children": [{"n": 1, "text": "one"}]}],
                       "new": [{"n": 0, "tag": "p", "children": [{"n": 1, "text": "two"}]}]}]}],
                   [{"run": 0}]]),
        ),
    ];
    for (name, old, new, expected) in table {
        assert_eq!(patch(old, new), expected, "{name}");
    }
}

fn ids(change: &Change) -> Vec<String> {
    let Change::Patch(patches) = change else { panic!("{change:?}") };
    patches.iter().map(|patch| patch.id.clone()).collect()
}

#[test]
fn a_view_keeps_its_name_while_lines_move() {
    let mut sources = Sources::new();
    sources.load(PATH, "fn a() { view! { <p>\"a\"</p> } }\nfn b() { view! { <p>\"b\"</p> } }\n");
    assert!(matches!(
        sources
            .change(PATH, "// new\n\nfn a() { view! { <p>\"a\"</p> } }\nfn b() { view! { <p>\"b\"</p> } }\n"),
        Change::None
    ));
    let change = sources
        .change(PATH, "// new\n\nfn a() { view! { <p>\"a\"</p> } }\nfn b() { view! { <p>\"c\"</p> } }\n");
    assert_eq!(ids(&change), ["src-app.rs-2"]);
    let renamed = sources.compiled();
    let names: Vec<_> = renamed.iter().map(|renamed| (renamed.from.as_str(), renamed.to.as_str())).collect();
    assert_eq!(names, [("src-app.rs-1", "src-app.rs-3"), ("src-app.rs-2", "src-app.rs-4")]);
    let change =
        sources.change(PATH, "fn a() { view! { <p>\"a\"</p> } }\nfn b() { view! { <p>\"d\"</p> } }\n");
    assert_eq!(ids(&change), ["src-app.rs-4"]);
}

#[test]
fn patches_go_from_what_is_shown_and_pending_ones_from_what_was_compiled() {
    let mut sources = Sources::new();
    let source = |text: &str| format!("fn a() {{ view! {{ <p>\"{text}\"</p> }} }}");
    sources.load(PATH, &source("1"));
    assert!(sources.pending().is_empty());
    let Change::Patch(first) = sources.change(PATH, &source("2")) else { panic!() };
    let Change::Patch(second) = sources.change(PATH, &source("3")) else { panic!() };
    assert_eq!(first[0].to, second[0].from);
    assert_eq!(first[0].base, second[0].base);
    let pending = sources.pending();
    assert_eq!((pending.len(), &pending[0].from, &pending[0].to), (1, &first[0].from, &second[0].to));
    let Change::Patch(back) = sources.change(PATH, &source("1")) else { panic!() };
    assert_eq!(back[0].to, first[0].from);
    assert!(sources.pending().is_empty());
}

#[test]
fn an_edit_during_a_build_is_pending_after_it() {
    let mut sources = Sources::new();
    let source = |text: &str| format!("fn a() {{ view! {{ <p>\"{text}\"</p> }} }}");
    sources.load(PATH, &source("1"));
    sources.change(PATH, &source("2"));
    sources.building();
    let Change::Patch(edit) = sources.change(PATH, &source("3")) else { panic!() };
    sources.compiled();
    let pending = sources.pending();
    assert_eq!(pending.len(), 1);
    assert_eq!((&pending[0].from, &pending[0].to), (&edit[0].from, &edit[0].to));
    assert_eq!(pending[0].base, pending[0].from);
}

#[test]
fn after_code_all_is_code_until_it_is_compiled() {
    let mut sources = Sources::new();
    sources.load(PATH, "fn a() { view! { <p>\"1\"</p> } }");
    assert!(matches!(sources.change(PATH, "fn b() { view! { <p>\"1\"</p> } }"), Change::Code));
    assert!(matches!(sources.change(PATH, "fn b() { view! { <p>\"2\"</p> } }"), Change::Code));
    assert!(matches!(sources.change(PATH, "fn b()  { view! { <p>\"2\"</p> } }"), Change::None));
    assert!(sources.pending().is_empty());
    assert!(sources.compiled().is_empty());
    assert!(matches!(sources.change(PATH, "fn b() { view! { <p>\"3\"</p> } }"), Change::Patch(_)));
}

#[test]
fn a_file_that_comes_or_goes_is_code() {
    let mut sources = Sources::new();
    assert!(matches!(sources.change(PATH, "fn a() {}"), Change::Code));
    sources.compiled();
    assert!(matches!(sources.change(PATH, "fn a() { }"), Change::None));
    assert!(matches!(sources.remove(PATH), Change::Code));
    assert!(matches!(sources.remove(PATH), Change::None));
}

#[test]
fn a_file_that_comes_during_a_build_is_code_until_the_next() {
    let mut sources = Sources::new();
    let source = |text: &str| format!("fn a() {{ view! {{ <p>\"{text}\"</p> }} }}");
    sources.building();
    sources.load(PATH, &source("1"));
    assert!(matches!(sources.change("src/new.rs", &source("1")), Change::Code));
    sources.compiled();
    assert!(matches!(sources.change("src/new.rs", &source("2")), Change::Code), "the program is without it");
    assert!(matches!(sources.change(PATH, &source("2")), Change::Patch(_)), "what was loaded is in it");
    sources.building();
    sources.compiled();
    assert!(matches!(sources.change("src/new.rs", &source("3")), Change::Patch(_)));
}

#[test]
fn a_source_of_five_hundred_lines_is_read_in_milliseconds() {
    let one = |n: usize, text: &str| {
        format!(
            "#[component]\npub fn Page{n}(name: String) -> impl IntoView {{\n    let count = RwSignal::new(0);\n    view! {{\n        <section class=\"page\">\n            <h1 id=\"t{n}\">\"{text}\"</h1>\n            <Card><p>\"Of \" {{name}} \", \" {{move || count.get()}}</p></Card>\n            <button on:click=move |_| count.update(|n| *n += 1) class:on=move || count.get() == 1>\"More\"</button>\n        </section>\n    }}\n}}\n"
        )
    };
    let source =
        |text: &str| (0..45).map(|n| one(n, if n == 20 { text } else { "same" })).collect::<String>();
    assert!(source("a").lines().count() >= 490);
    let mut sources = Sources::new();
    // What else the application has.
    for n in 0..40 {
        sources.load(&format!("src/other{n}.rs"), &source("a"));
    }
    sources.load(PATH, &source("a"));
    let mut times: Vec<_> = (0..21)
        .map(|n| {
            let text = source(&format!("edit {n}"));
            let start = std::time::Instant::now();
            assert!(matches!(sources.change(PATH, &text), Change::Patch(_)));
            start.elapsed()
        })
        .collect();
    times.sort();
    println!("an edit in 500 lines of 20,000: median {:?}, worst {:?}", times[10], times[20]);
    // Unoptimised, and on a machine that does other things too.
    assert!(times[10].as_millis() < 600, "{:?}", times[10]);
}
