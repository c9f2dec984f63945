//! Random templates, randomly edited: the patched page is the page that the edited template renders.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod model;

use model::Page;
use proptest::prelude::*;
use tropos_dev::views::{Change, Sources};

/// A node of a template. An expression is a variable by its number, and renders what [`value`] says.
#[derive(Debug, Clone)]
enum Tree {
    Text(String),
    Expression(u8),
    Element { tag: &'static str, class: Option<String>, listens: Option<u8>, children: Vec<Tree> },
}

const TAGS: [&str; 4] = ["p", "b", "i", "div"];

/// Texts, elements, and nothing at all: what an expression may render.
fn value(expression: u8) -> (&'static str, bool) {
    [("A", true), ("<b>a</b>", false), ("<!>", false), ("<i></i><b>a</b><!>", false)]
        [usize::from(expression) % 4]
}

fn tree() -> impl Strategy<Value = Tree> {
    let leaf = prop_oneof![
        2 => "[a-c]{1,2}".prop_map(Tree::Text),
        1 => (0_u8..8).prop_map(Tree::Expression),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        let class = prop::option::of("[x-z]");
        let listens = prop::option::weighted(0.2, 0_u8..3);
        (prop::sample::select(&TAGS[..]), class, listens, prop::collection::vec(inner, 0..4))
            .prop_map(|(tag, class, listens, children)| Tree::Element { tag, class, listens, children })
    })
}

fn root() -> impl Strategy<Value = Tree> {
    (prop::option::of("[x-z]"), prop::collection::vec(tree(), 0..5))
        .prop_map(|(class, children)| Tree::Element { tag: "main", class, listens: None, children })
}

fn source(tree: &Tree, to: &mut String) {
    match tree {
        Tree::Text(text) => to.push_str(&format!("{text:?} ")),
        Tree::Expression(n) => to.push_str(&format!("{{v{n}}} ")),
        Tree::Element { tag, class, listens, children } => {
            to.push_str(&format!("<{tag}"));
            if let Some(class) = class {
                to.push_str(&format!(" class={class:?}"));
            }
            if let Some(n) = listens {
                to.push_str(&format!(" on:click=h{n}"));
            }
            to.push('>');
            children.iter().for_each(|child| source(child, to));
            to.push_str(&format!("</{tag}>"));
        }
    }
}

fn is_static(tree: &Tree) -> bool {
    match tree {
        Tree::Text(_) => true,
        Tree::Expression(_) => false,
        Tree::Element { listens, children, .. } => listens.is_none() && children.iter().all(is_static),
    }
}

/// What Leptos renders. `inert`: within an element that is one string of HTML.
fn render(tree: &Tree, inert: bool, after_text: &mut bool, to: &mut String) {
    match tree {
        Tree::Text(text) => {
            if !inert && *after_text {
                to.push_str("<!>");
            }
            to.push_str(text);
            *after_text = true;
        }
        Tree::Expression(n) => {
            let (html, text) = value(*n);
            if text && *after_text {
                to.push_str("<!>");
            }
            to.push_str(html);
            *after_text = text;
        }
        Tree::Element { tag, class, children, listens } => {
            let bare = class.is_none() && listens.is_none() && children.is_empty();
            let inert = inert || *tag != "main" && !bare && is_static(tree);
            to.push_str(&format!("<{tag}"));
            if let Some(class) = class {
                to.push_str(&format!(" class={class:?}"));
            }
            to.push('>');
            let mut after = false;
            children.iter().for_each(|child| render(child, inert, &mut after, to));
            to.push_str(&format!("</{tag}>"));
            *after_text = false;
        }
    }
}

fn page(tree: &Tree) -> Page {
    let mut html = String::new();
    render(tree, false, &mut false, &mut html);
    Page::parse(&format!("<!--hot-reload|a.rs-1|open-->{html}<!--hot-reload|a.rs-1|close-->"))
}

fn file(tree: &Tree) -> String {
    let mut text = "fn a() { view! { ".to_owned();
    source(tree, &mut text);
    text + " } }"
}

/// An edit that is likely to be a patch: places by their numbers.
#[derive(Debug, Clone)]
enum Edit {
    Retext(usize, String),
    Class(usize, Option<String>),
    Remove(usize),
    Insert(usize, Tree),
    Wrap(usize, &'static str),
    Swap(usize, usize),
}

fn edit() -> impl Strategy<Value = Edit> {
    prop_oneof![
        (any::<usize>(), "[a-d]{1,2}").prop_map(|(at, text)| Edit::Retext(at, text)),
        (any::<usize>(), prop::option::of("[x-z]")).prop_map(|(at, class)| Edit::Class(at, class)),
        any::<usize>().prop_map(Edit::Remove),
        (any::<usize>(), "[a-d]").prop_map(|(at, text)| Edit::Insert(at, Tree::Text(text))),
        (any::<usize>(), prop::sample::select(&TAGS[..])).prop_map(|(at, tag)| Edit::Wrap(at, tag)),
        (any::<usize>(), any::<usize>()).prop_map(|(a, b)| Edit::Swap(a, b)),
    ]
}

/// All lists of children, as a visitor sees them.
fn lists(tree: &mut Tree, call: &mut dyn FnMut(&mut Vec<Tree>, &mut Option<String>)) {
    if let Tree::Element { children, class, .. } = tree {
        call(children, class);
        children.iter_mut().for_each(|child| lists(child, call));
    }
}

fn apply(tree: &mut Tree, edit: &Edit) {
    let mut count = 0;
    lists(tree, &mut |_, _| count += 1);
    let (Edit::Retext(at, _)
    | Edit::Class(at, _)
    | Edit::Remove(at)
    | Edit::Insert(at, _)
    | Edit::Wrap(at, _)
    | Edit::Swap(at, _)) = edit;
    let wanted = at % count;
    let mut seen = 0;
    lists(tree, &mut |children, class| {
        seen += 1;
        if seen != wanted + 1 {
            return;
        }
        let place = at / count.max(1) % children.len().max(1);
        match edit {
            Edit::Class(_, new) => class.clone_from(new),
            Edit::Insert(_, node) => children.insert(place, node.clone()),
            _ if children.is_empty() => {}
            Edit::Retext(_, new) => {
                if let Tree::Text(text) = &mut children[place] {
                    text.clone_from(new);
                }
            }
            Edit::Remove(_) => _ = children.remove(place),
            Edit::Wrap(_, tag) => {
                let inner = children.remove(place);
                children
                    .insert(place, Tree::Element { tag, class: None, listens: None, children: vec![inner] });
            }
            Edit::Swap(_, other) => {
                let other = other % children.len();
                children.swap(place, other);
            }
        }
    });
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_patched_page_is_what_the_new_template_renders(old in root(), edits in prop::collection::vec(edit(), 1..5)) {
        let mut new = old.clone();
        edits.iter().for_each(|edit| apply(&mut new, edit));
        let mut sources = Sources::new();
        sources.load("a.rs", &file(&old));
        let mut patched = page(&old);
        match sources.change("a.rs", &file(&new)) {
            Change::None => prop_assert_eq!(patched.seen(), page(&new).seen()),
            Change::Patch(patches) => {
                let patch = serde_json::to_value(&patches[0]).unwrap();
                // A page that could be several things is loaded again; one that is told apart must be right.
                let done = patched.apply(&patch);
                match done {
                    Ok(_) => prop_assert_eq!(patched.seen(), page(&new).seen()),
                    Err(error) => prop_assert_eq!(error, "ambiguous"),
                }
            }
            _ => {}
        }
    }

    #[test]
    fn from_any_template_to_any_other(old in root(), new in root()) {
        let mut sources = Sources::new();
        sources.load("a.rs", &file(&old));
        if let Change::Patch(patches) = sources.change("a.rs", &file(&new)) {
            let mut patched = page(&old);
            if patched.apply(&serde_json::to_value(&patches[0]).unwrap()).is_ok() {
                prop_assert_eq!(patched.seen(), page(&new).seen());
            }
        }
    }
}
