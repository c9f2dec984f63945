//! What a `view!` renders, as far as its source alone tells.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    hash::{DefaultHasher, Hash as _, Hasher as _},
    ops::Range,
};

/// One `view!` of a source.
#[derive(Debug, Clone)]
pub(super) struct View {
    /// What its markers carry in the HTML of the program that runs.
    pub(super) id: String,
    /// The line on which its macro begins, from 1.
    pub(super) line: usize,
    /// Its tokens, but for those of the views in it; its source instead, where the spaces between its tokens count.
    pub(super) print: String,
    /// Where what is between its braces stands in the source, in bytes.
    pub(super) contents: Range<usize>,
    /// `None`: nothing of it can be patched.
    pub(super) template: Option<Template>,
    /// Views in it, where there is no template that holds them.
    pub(super) inner: Vec<View>,
}

/// What stands between the markers of a view.
#[derive(Debug, Clone)]
pub(super) struct Template {
    /// Its outermost nodes.
    pub(super) nodes: Vec<Node>,
    /// Whether Leptos puts markers around it: not around a lone text, block or fragment.
    pub(super) marked: bool,
}

/// A node of the page, or several that Rust makes.
#[derive(Debug, Clone)]
pub(super) enum Node {
    /// One text node. Never empty.
    Text(String),
    /// An element.
    Element(Element),
    /// What Rust expressions that stand beside each other render: any number of nodes.
    Run(Vec<Dynamic>),
}

/// An element of the page.
#[derive(Debug, Clone, Default)]
pub(super) struct Element {
    /// Its name, as in the page.
    pub(super) tag: String,
    /// Attributes whose values the source tells.
    pub(super) fixed: BTreeMap<String, String>,
    /// All others.
    pub(super) dynamic: Vec<Attribute>,
    /// Its content is none of ours: `<script>`, `inner_html`.
    pub(super) sealed: bool,
    /// What is in it.
    pub(super) children: Vec<Node>,
}

/// An attribute, directive or spread whose value Rust makes.
#[derive(Debug, Clone)]
pub(super) struct Attribute {
    /// Empty for a spread.
    pub(super) name: String,
    /// Its tokens, but for those of views in it.
    pub(super) key: String,
    /// Whether leaving it out, or evaluating it earlier or later, can be seen nowhere else.
    pub(super) pure: bool,
    /// Views in it.
    pub(super) views: Vec<View>,
}

/// A Rust expression among nodes: a block, or a component.
#[derive(Debug, Clone)]
pub(super) struct Dynamic {
    /// Its tokens, but for those of views in it and of a component's children.
    pub(super) key: String,
    /// As for [`Attribute`].
    pub(super) pure: bool,
    /// Views in it, but for those in `children`.
    pub(super) views: Vec<View>,
    /// What stands between the tags of a component.
    pub(super) children: Option<Children>,
}

/// The children of a component: part of the view's source, and somewhere in what the component renders.
#[derive(Debug, Clone)]
pub(super) struct Children {
    /// The component's name, without its path.
    pub(super) of: String,
    /// Whether the component or one around it renders its children for each of a number of things.
    pub(super) many: bool,
    /// The nodes.
    pub(super) nodes: Vec<Node>,
}

impl Element {
    /// What makes it one that cannot be made anew: `None` for an element that the source tells wholly.
    pub(super) fn key(&self) -> Option<String> {
        if self.dynamic.is_empty() {
            return None;
        }
        let keys: Vec<_> = self.dynamic.iter().map(|attribute| attribute.key.as_str()).collect();
        Some(format!("<{}\u{0}{}", self.tag, keys.join("\u{0}")))
    }

    /// As for [`Attribute`], of all its attributes.
    pub(super) fn pure(&self) -> bool {
        self.dynamic.iter().all(|attribute| attribute.pure && attribute.views.is_empty())
    }
}

/// What makes a run what it is.
pub(super) fn run_key(run: &[Dynamic]) -> String {
    run.iter().map(|dynamic| dynamic.key.as_str()).collect::<Vec<_>>().join("\u{0}")
}

/// As for [`Attribute`], of a whole run.
pub(super) fn run_pure(run: &[Dynamic]) -> bool {
    run.iter().all(|dynamic| dynamic.pure && dynamic.views.is_empty() && dynamic.children.is_none())
}

/// A canonical text of nodes: the same for the same, but for views within their expressions.
pub(super) fn print(nodes: &[Node]) -> String {
    let mut text = String::new();
    print_to(nodes, &mut text);
    text
}

fn print_to(nodes: &[Node], text: &mut String) {
    for node in nodes {
        // Writing to a string cannot fail.
        let _ = match node {
            Node::Text(value) => write!(text, "{value:?};"),
            Node::Element(element) => {
                let Element { tag, fixed, sealed, .. } = element;
                let _ = write!(text, "<{tag} {fixed:?} {sealed} {:?}>", element.key());
                print_to(&element.children, text);
                write!(text, "</>")
            }
            Node::Run(run) => {
                for dynamic in run {
                    let _ = write!(text, "{{{:?}", dynamic.key);
                    if let Some(children) = &dynamic.children {
                        text.push_str("=>");
                        print_to(&children.nodes, text);
                    }
                    text.push('}');
                }
                Ok(())
            }
        };
    }
}

/// A short name for a state of a template.
pub(super) fn version(template: &Template) -> String {
    let mut hasher = DefaultHasher::new();
    print(&template.nodes).hash(&mut hasher);
    template.marked.hash(&mut hasher);
    format!("{:016x}", hasher.finish())
}
