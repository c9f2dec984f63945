//! From the tokens of a `view!` to what it renders, by the rules of `leptos_macro` 0.8 and `tachys` 0.2.

use super::{
    html,
    read::Reader,
    template::{Attribute, Children, Dynamic, Element, Node, Template, View},
};
use proc_macro2::{Delimiter, TokenStream, TokenTree};
use quote::ToTokens as _;
use rstml::node::{KVAttributeValue, KeyedAttribute, Node as Source, NodeAttribute, NodeElement, NodeName};

type SourceElement = NodeElement<rstml::Infallible>;

/// What a view renders; `None` where that is not certain.
pub(super) fn template(reader: &mut Reader<'_>, tokens: TokenStream) -> Option<Template> {
    if has_global_class(&tokens) {
        return None;
    }
    let config = rstml::ParserConfig::default().recover_block(true);
    let (nodes, errors) = rstml::Parser::new(config).parse_recoverable(tokens).split_vec();
    if !errors.is_empty() {
        return None;
    }
    let marked = match nodes.as_slice() {
        [] => false,
        [Source::Element(element)] => !matches!(element.name(), NodeName::Block(_)),
        [_] => false,
        _ => true,
    };
    let mut lowering = Lowering { reader, many: false };
    let nodes = lowering.nodes(&nodes, Place::Outermost)?;
    Some(Template { nodes, marked })
}

/// Whether there is text without quotes in a view, or something that cannot be read here.
pub(super) fn may_have_raw_text(tokens: TokenStream) -> bool {
    let config = rstml::ParserConfig::default().recover_block(true);
    let (nodes, errors) = rstml::Parser::new(config).parse_recoverable(tokens).split_vec();
    !errors.is_empty() || nodes.iter().any(has_raw_text)
}

fn has_raw_text(node: &Source) -> bool {
    match node {
        Source::RawText(_) => true,
        Source::Fragment(fragment) => fragment.children.iter().any(has_raw_text),
        Source::Element(element) => element.children.iter().any(has_raw_text),
        _ => false,
    }
}

/// `view! { class = "x", <p/> }`
fn has_global_class(tokens: &TokenStream) -> bool {
    let mut tokens = tokens.clone().into_iter();
    matches!(tokens.next(), Some(TokenTree::Ident(name)) if name == "class")
        && matches!(tokens.next(), Some(TokenTree::Punct(punct)) if punct.as_char() == '=')
}

/// Where nodes stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Outermost in a view, a fragment or among a component's children.
    Outermost,
    /// In an element that is rendered piece by piece.
    Element,
    /// In an element that is one string of HTML: its texts have no separator.
    Inert,
}

struct Lowering<'a, 'b> {
    reader: &'a mut Reader<'b>,
    /// Whether what is lowered is rendered for each of a number of things.
    many: bool,
}

impl Lowering<'_, '_> {
    fn nodes(&mut self, sources: &[Source], place: Place) -> Option<Vec<Node>> {
        let mut nodes = Vec::new();
        for source in sources {
            self.node(source, place, &mut nodes)?;
        }
        Some(nodes)
    }

    fn node(&mut self, source: &Source, place: Place, nodes: &mut Vec<Node>) -> Option<()> {
        match source {
            Source::Comment(_) => {}
            // Changes of it are for the compiler: it is no child of anything that has markers.
            Source::Doctype(_) | Source::Custom(_) => return None,
            Source::Fragment(fragment) => {
                for child in &fragment.children {
                    self.node(child, Place::Outermost, nodes)?;
                }
            }
            Source::Text(text) => push_text(&text.value_string(), place, nodes)?,
            Source::RawText(raw) => {
                // Of several tokens, the compiler gives the macro no spaces that are certain.
                let tokens: Vec<_> = raw.to_token_stream().into_iter().collect();
                let [token] = tokens.as_slice() else { return None };
                push_text(&token.to_string(), place, nodes)?;
            }
            Source::Block(block) => {
                let tokens = block.to_token_stream();
                match lone_string(&tokens) {
                    Some(text) => push_text(&text, Place::Element, nodes)?,
                    None => {
                        let mut views = Vec::new();
                        let pure = is_pure(&tokens);
                        let key = self.reader.print(tokens, &mut views);
                        push_dynamic(Dynamic { key, pure, views, children: None }, nodes);
                    }
                }
            }
            Source::Element(element) => self.element(element, place, nodes)?,
        }
        Some(())
    }

    fn element(&mut self, source: &SourceElement, place: Place, nodes: &mut Vec<Node>) -> Option<()> {
        let tag = match source.name() {
            NodeName::Path(path) => {
                let last = path.path.segments.last()?.ident.to_string();
                if last.starts_with(|c: char| c.is_ascii_uppercase()) {
                    let component = self.component(source, last)?;
                    push_dynamic(component, nodes);
                    return Some(());
                }
                path.path.get_ident()?.to_string()
            }
            NodeName::Punctuated(_) => source.name().to_string(),
            NodeName::Block(_) => return None,
        };
        if !html::is_plain_tag(&tag) || source.open_tag.generics.lt_token.is_some() {
            return None;
        }
        let inert = place == Place::Inert || place == Place::Element && is_inert(source);
        let mut element = Element { tag, ..Element::default() };
        if html::is_sealed(&element.tag) {
            let mut views = Vec::new();
            let key = self.reader.print(source.to_token_stream(), &mut views);
            element.dynamic.push(Attribute { name: String::new(), key, pure: false, views });
            element.sealed = true;
            nodes.push(Node::Element(element));
            return Some(());
        }
        for attribute in source.attributes() {
            self.attribute(attribute, inert, &mut element)?;
        }
        if html::is_void(&element.tag) || element.sealed {
            if !source.children.is_empty() {
                return None;
            }
        } else {
            let place = if inert { Place::Inert } else { Place::Element };
            element.children = self.nodes(&source.children, place)?;
            // A parser drops a line break that begins these.
            let begins = matches!(element.children.first(), Some(Node::Text(text)) if text.starts_with('\n'));
            if begins && ["pre", "listing"].contains(&element.tag.as_str()) {
                return None;
            }
        }
        nodes.push(Node::Element(element));
        Some(())
    }

    fn attribute(&mut self, source: &NodeAttribute, inert: bool, element: &mut Element) -> Option<()> {
        let NodeAttribute::Attribute(attribute) = source else {
            let mut views = Vec::new();
            let key = self.reader.print(source.to_token_stream(), &mut views);
            element.dynamic.push(Attribute { name: String::new(), key, pure: false, views });
            return Some(());
        };
        let name = attribute.key.to_string();
        let name = name.trim_start_matches("r#");
        if html::is_plain_attribute(name)
            && !matches!(name, "node" | "slot")
            && let Some(value) = fixed_value(attribute)
        {
            match (name, value) {
                (_, Fixed::Absent) => {}
                ("class" | "style", Fixed::Flag) => return None,
                ("class", Fixed::Text(text)) if !inert => insert(element, name, text.trim().to_owned())?,
                ("style", Fixed::Text(text)) if !inert => {
                    insert(element, name, format!("{text};").trim().to_owned())?
                }
                (_, Fixed::Text(text)) => insert(element, name, text)?,
                (_, Fixed::Flag) => insert(element, name, String::new())?,
            }
            return Some(());
        }
        let value = attribute.value().map(|value| value.to_token_stream()).unwrap_or_default();
        let handler = ["on:", "use:", "bind:"].iter().any(|prefix| name.starts_with(prefix));
        let pure = handler && !name.starts_with("use:") && is_closure(&value) || is_pure(&value);
        let mut views = Vec::new();
        let key = self.reader.print(source.to_token_stream(), &mut views);
        if name == "inner_html" {
            element.sealed = true;
        }
        element.dynamic.push(Attribute { name: name.to_owned(), key, pure, views });
        Some(())
    }

    fn component(&mut self, source: &SourceElement, name: String) -> Option<Dynamic> {
        let mut views: Vec<View> = Vec::new();
        if source.children.iter().any(has_slot) || has_slot_attribute(source) {
            let key = self.reader.print(source.to_token_stream(), &mut views);
            return Some(Dynamic { key, pure: false, views, children: None });
        }
        let mut key = self.reader.print(source.open_tag.name.to_token_stream(), &mut views);
        key.push_str(&self.reader.print(source.open_tag.generics.to_token_stream(), &mut views));
        for attribute in &source.open_tag.attributes {
            key.push_str(&self.reader.print(attribute.to_token_stream(), &mut views));
            key.push('\u{1}');
        }
        if source.children.is_empty() {
            return Some(Dynamic { key, pure: false, views, children: None });
        }
        // With children is not the same as with none.
        key.push('>');
        let many = self.many || html::REPEATING.contains(&name.as_str());
        let around = std::mem::replace(&mut self.many, many);
        let nodes = self.nodes(&source.children, Place::Outermost);
        let many = std::mem::replace(&mut self.many, around);
        Some(Dynamic { key, pure: false, views, children: Some(Children { of: name, many, nodes: nodes? }) })
    }
}

fn insert(element: &mut Element, name: &str, value: String) -> Option<()> {
    // Twice the same is an error of the compiler.
    (html::is_plain_text(&value) && element.fixed.insert(name.to_owned(), value).is_none()).then_some(())
}

fn push_text(text: &str, place: Place, nodes: &mut Vec<Node>) -> Option<()> {
    if !html::is_plain_text(text) {
        return None;
    }
    match (place, nodes.last_mut()) {
        (Place::Inert, Some(Node::Text(before))) => before.push_str(text),
        (Place::Inert, _) if text.is_empty() => {}
        // The server writes a space where it has nothing to write.
        (_, _) if text.is_empty() => nodes.push(Node::Text(" ".to_owned())),
        _ => nodes.push(Node::Text(text.to_owned())),
    }
    Some(())
}

fn push_dynamic(dynamic: Dynamic, nodes: &mut Vec<Node>) {
    match nodes.last_mut() {
        Some(Node::Run(run)) => run.push(dynamic),
        _ => nodes.push(Node::Run(vec![dynamic])),
    }
}

/// A value that the source tells.
enum Fixed {
    Text(String),
    /// There, without a value.
    Flag,
    Absent,
}

fn fixed_value(attribute: &KeyedAttribute) -> Option<Fixed> {
    let Some(value) = attribute.possible_value.to_value() else {
        let no_value = matches!(attribute.possible_value, rstml::node::KeyedAttributeValue::None);
        return no_value.then_some(Fixed::Flag);
    };
    let KVAttributeValue::Expr(expression) = &value.value else { return None };
    if let Some(text) = lone_string(&expression.to_token_stream()) {
        return Some(Fixed::Text(text));
    }
    let syn::Expr::Lit(literal) = expression else { return None };
    match &literal.lit {
        syn::Lit::Bool(bool) => Some(if bool.value { Fixed::Flag } else { Fixed::Absent }),
        syn::Lit::Int(int) if int.suffix().is_empty() => Some(Fixed::Text(int.base10_digits().to_owned())),
        _ => None,
    }
}

/// The string that these tokens are, also within braces.
fn lone_string(tokens: &TokenStream) -> Option<String> {
    let mut tokens = tokens.clone().into_iter();
    match (tokens.next()?, tokens.next()) {
        (TokenTree::Group(group), None) if group.delimiter() == Delimiter::Brace => {
            lone_string(&group.stream())
        }
        (TokenTree::Group(group), None) if group.delimiter() == Delimiter::None => {
            lone_string(&group.stream())
        }
        (TokenTree::Literal(literal), None) => match syn::Lit::new(literal) {
            syn::Lit::Str(text) if text.suffix().is_empty() => Some(text.value()),
            _ => None,
        },
        _ => None,
    }
}

/// What an element must be for the macro to write it as one string.
fn is_inert(source: &SourceElement) -> bool {
    if source.attributes().is_empty() && source.children.is_empty() {
        return false;
    }
    all_inert(source)
}

fn all_inert(source: &SourceElement) -> bool {
    let plain_name = match source.name() {
        NodeName::Path(path) => path
            .path
            .segments
            .last()
            .is_some_and(|last| !last.ident.to_string().starts_with(char::is_uppercase)),
        NodeName::Punctuated(_) => true,
        NodeName::Block(_) => false,
    };
    let attribute = |attribute: &NodeAttribute| {
        let NodeAttribute::Attribute(attribute) = attribute else { return false };
        let Some(value) = attribute.possible_value.to_value() else { return true };
        let name = attribute.key.to_string();
        let string = matches!(&value.value, KVAttributeValue::Expr(syn::Expr::Lit(literal)) if matches!(literal.lit, syn::Lit::Str(_)));
        string
            && !matches!(attribute.key, NodeName::Block(_))
            && !["style:", "prop:", "on:", "use:", "bind"].iter().any(|prefix| name.starts_with(prefix))
    };
    plain_name
        && source.attributes().iter().all(attribute)
        && source.children.iter().all(|child| match child {
            Source::Text(_) | Source::RawText(_) => true,
            Source::Element(child) => all_inert(child),
            _ => false,
        })
}

fn has_slot(node: &Source) -> bool {
    matches!(node, Source::Element(element) if has_slot_attribute(element))
        || matches!(node, Source::Fragment(fragment) if fragment.children.iter().any(has_slot))
}

fn has_slot_attribute(element: &SourceElement) -> bool {
    element.attributes().iter().any(|attribute| {
        let NodeAttribute::Attribute(attribute) = attribute else { return false };
        let name = attribute.key.to_string();
        name == "slot" || name.starts_with("slot:")
    })
}

/// Methods that only read.
const READS: &[&str] = &[
    "get",
    "get_untracked",
    "clone",
    "to_string",
    "to_owned",
    "as_str",
    "len",
    "is_empty",
    "into_any",
    "into",
];

/// Whether an expression only reads: leaving it out, or evaluating it at another moment of the render, changes nothing
/// else.
fn is_pure(tokens: &TokenStream) -> bool {
    let tokens: Vec<_> = tokens.clone().into_iter().collect();
    tokens.iter().enumerate().all(|(at, token)| match token {
        TokenTree::Literal(_) => true,
        TokenTree::Punct(punct) => matches!(punct.as_char(), '.' | '&' | '|' | '*'),
        TokenTree::Ident(name) => {
            let called = matches!(tokens.get(at + 1), Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Parenthesis);
            let after_dot = at > 0 && matches!(&tokens[at - 1], TokenTree::Punct(punct) if punct.as_char() == '.');
            let name = name.to_string();
            if called { after_dot && READS.contains(&name.as_str()) } else { name != "return" && name != "await" }
        }
        TokenTree::Group(group) => match group.delimiter() {
            Delimiter::Brace | Delimiter::None => is_pure(&group.stream()),
            Delimiter::Parenthesis => group.stream().is_empty() && at > 0,
            Delimiter::Bracket => false,
        },
    })
}

/// Whether an expression is a closure: made, and not called, where it stands.
fn is_closure(tokens: &TokenStream) -> bool {
    let mut tokens = tokens.clone().into_iter();
    let mut first = tokens.next();
    if matches!(&first, Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Brace)
        && tokens.next().is_none()
    {
        let Some(TokenTree::Group(group)) = first else { return false };
        return is_closure(&group.stream());
    }
    if matches!(&first, Some(TokenTree::Ident(name)) if name == "move") {
        first = tokens.next();
    }
    matches!(first, Some(TokenTree::Punct(punct)) if punct.as_char() == '|')
}
