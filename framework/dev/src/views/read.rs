//! Sources, taken apart into code and views.

use super::{lower, template::Dynamic, template::Node, template::View};
use proc_macro2::{Delimiter, Group, Spacing, TokenStream, TokenTree};
use std::{collections::BTreeMap, collections::HashMap, ops::Range, str::FromStr as _};

/// A source, as far as views go.
#[derive(Debug, Clone, Default)]
pub(super) struct Parsed {
    /// Its tokens, but for those within views.
    code: String,
    /// Its views, but for those in others.
    pub(super) views: Vec<View>,
    /// Functions with a parameter `children`, and the type of that.
    pub(super) components: BTreeMap<String, String>,
}

/// Reads a source; `None` where it is not Rust.
pub(super) fn parse(path: &str, text: &str) -> Option<Parsed> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let tokens = TokenStream::from_str(text).ok()?;
    let mut reader = Reader { path, text, components: BTreeMap::new() };
    let mut views = Vec::new();
    let code = reader.print(tokens, &mut views);
    let components = reader.components;
    // Lines and places are all that is taken from the spans, and every text that was ever read would be kept for them.
    proc_macro2::extra::invalidate_current_thread_spans();
    Some(Parsed { code, views, components })
}

impl Parsed {
    /// Whether both are the same but for comments and for whitespace that nobody sees.
    pub(super) fn same(&self, other: &Self) -> bool {
        let (a, b) = (self.all_views(), other.all_views());
        self.same_code(other) && a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.print == b.print)
    }

    /// Whether both are the same but for comments, whitespace and what is within views.
    pub(super) fn same_code(&self, other: &Self) -> bool {
        self.code == other.code
    }

    /// All views, also those in others.
    pub(super) fn all_views(&self) -> Vec<&View> {
        let mut all = Vec::new();
        for view in &self.views {
            view.each(&mut all);
        }
        all
    }

    /// The same, with the ids that the paired views have in the open pages.
    pub(super) fn adopting(&self, pairs: &[super::diff::Pair<'_>]) -> Self {
        let ids: HashMap<_, _> =
            pairs.iter().map(|pair| (address(pair.new), pair.shown.id.clone())).collect();
        let mut adopted = self.clone();
        // A clone has its views in the same order.
        let mut order = self.all_views().into_iter().map(|view| ids.get(&address(view)).cloned());
        for view in &mut adopted.views {
            view.each_mut(&mut |view| {
                if let Some(id) = order.next().flatten() {
                    view.id = id;
                }
            });
        }
        adopted
    }

    /// The same, with the ids that the compiler gives.
    pub(super) fn as_compiled(&self, path: &str) -> Self {
        let mut compiled = self.clone();
        for view in &mut compiled.views {
            view.each_mut(&mut |view| view.id = stable_id(path, view.line));
        }
        compiled
    }
}

fn address(view: &View) -> usize {
    std::ptr::from_ref(view) as usize
}

/// What `leptos_hot_reload::span_to_stable_id` makes of a place.
fn stable_id(path: &str, line: usize) -> String {
    format!("{}-{line}", path.replace(['/', '\\'], "-"))
}

impl View {
    /// The views in it, but for those in these.
    pub(super) fn children(&self) -> Vec<&View> {
        let mut views: Vec<_> = self.inner.iter().collect();
        if let Some(template) = &self.template {
            collect(&template.nodes, &mut views);
        }
        views
    }

    fn each<'a>(&'a self, all: &mut Vec<&'a View>) {
        all.push(self);
        for view in self.children() {
            view.each(all);
        }
    }

    fn each_mut(&mut self, call: &mut dyn FnMut(&mut View)) {
        call(self);
        for view in &mut self.inner {
            view.each_mut(call);
        }
        if let Some(template) = &mut self.template {
            each_mut_in(&mut template.nodes, call);
        }
    }
}

fn collect<'a>(nodes: &'a [Node], views: &mut Vec<&'a View>) {
    for node in nodes {
        match node {
            Node::Text(_) => {}
            Node::Element(element) => {
                views.extend(element.dynamic.iter().flat_map(|attribute| &attribute.views));
                collect(&element.children, views);
            }
            Node::Run(run) => {
                for Dynamic { views: own, children, .. } in run {
                    views.extend(own);
                    if let Some(children) = children {
                        collect(&children.nodes, views);
                    }
                }
            }
        }
    }
}

fn each_mut_in(nodes: &mut [Node], call: &mut dyn FnMut(&mut View)) {
    for node in nodes {
        match node {
            Node::Text(_) => {}
            Node::Element(element) => {
                for view in element.dynamic.iter_mut().flat_map(|attribute| &mut attribute.views) {
                    view.each_mut(call);
                }
                each_mut_in(&mut element.children, call);
            }
            Node::Run(run) => {
                for Dynamic { views, children, .. } in run {
                    views.iter_mut().for_each(|view| view.each_mut(call));
                    if let Some(children) = children {
                        each_mut_in(&mut children.nodes, call);
                    }
                }
            }
        }
    }
}

/// Goes through tokens.
pub(super) struct Reader<'a> {
    path: &'a str,
    text: &'a str,
    components: BTreeMap<String, String>,
}

impl Reader<'_> {
    /// Tokens as a canonical text, in which a view is only that it is one.
    pub(super) fn print(&mut self, tokens: TokenStream, views: &mut Vec<View>) -> String {
        let mut text = String::new();
        self.print_to(tokens, views, &mut text);
        text
    }

    fn print_to(&mut self, tokens: TokenStream, views: &mut Vec<View>, text: &mut String) {
        let tokens: Vec<_> = tokens.into_iter().collect();
        let mut at = 0;
        while let Some(token) = tokens.get(at) {
            let bang = tokens.get(at + 1).is_some_and(|token| is_punct(token, '!'));
            match token {
                // Where the span of a view in the expansion lies is not known.
                TokenTree::Ident(name) if bang && *name == "macro_rules" => {
                    let end = (at + 4).min(tokens.len());
                    text.push_str(&tokens[at..end].iter().cloned().collect::<TokenStream>().to_string());
                    at = end;
                    continue;
                }
                TokenTree::Ident(name) if bang && *name == "view" => {
                    if let Some(TokenTree::Group(group)) = tokens.get(at + 2) {
                        let line = line_of_path(&tokens, at);
                        views.push(self.view(group, line));
                        text.push_str("view!{} ");
                        at += 3;
                        continue;
                    }
                    text.push_str("view ");
                }
                TokenTree::Ident(name) if *name == "fn" => {
                    self.note_component(&tokens[at..]);
                    text.push_str("fn ");
                }
                TokenTree::Ident(name) => {
                    text.push_str(&name.to_string());
                    text.push(' ');
                }
                TokenTree::Literal(literal) => {
                    text.push_str(&literal.to_string());
                    text.push(' ');
                }
                TokenTree::Punct(punct) => {
                    text.push(punct.as_char());
                    if punct.spacing() == Spacing::Alone {
                        text.push(' ');
                    }
                }
                TokenTree::Group(group) => {
                    let (open, close) = match group.delimiter() {
                        Delimiter::Parenthesis => ("( ", ") "),
                        Delimiter::Brace => ("{ ", "} "),
                        Delimiter::Bracket => ("[ ", "] "),
                        Delimiter::None => ("", ""),
                    };
                    text.push_str(open);
                    self.print_to(group.stream(), views, text);
                    text.push_str(close);
                }
            }
            at += 1;
        }
    }

    fn view(&mut self, group: &Group, line: usize) -> View {
        let id = stable_id(self.path, line);
        let contents = group.span_open().byte_range().end..group.span_close().byte_range().start;
        let tokens = group.stream();
        let mut inner = Vec::new();
        let mut print = self.print(tokens.clone(), &mut inner);
        let template = lower::template(self, tokens.clone());
        if template.is_some() {
            // They are in the template.
            inner.clear();
        } else if lower::may_have_raw_text(tokens) {
            // The macro sees which of its words have spaces between them, and the tokens here do not tell.
            print = self.source_without(&contents, &inner);
        }
        View { id, line, print, contents, template, inner }
    }

    /// A part of the source, but for what is within these views, which are in their order.
    fn source_without(&self, part: &Range<usize>, views: &[View]) -> String {
        let mut text = String::new();
        let mut at = part.start;
        for view in views {
            text.push_str(self.text.get(at..view.contents.start).unwrap_or_default());
            at = view.contents.end;
        }
        text.push_str(self.text.get(at..part.end).unwrap_or_default());
        text
    }

    /// Notes the type of `children`, where the tokens begin a function that has such a parameter.
    fn note_component(&mut self, tokens: &[TokenTree]) {
        let Some(TokenTree::Ident(name)) = tokens.get(1) else { return };
        let is_list = |token: &&TokenTree| matches!(token, TokenTree::Group(group) if group.delimiter() == Delimiter::Parenthesis);
        // Generics stand between the name and the parameters, and have parentheses only in bounds of closures.
        let Some(TokenTree::Group(list)) = tokens.iter().skip(2).take(64).find(is_list) else { return };
        let list: Vec<_> = list.stream().into_iter().collect();
        for (at, token) in list.iter().enumerate() {
            let named = matches!(token, TokenTree::Ident(ident) if *ident == "children");
            if named && list.get(at + 1).is_some_and(|token| is_punct(token, ':')) {
                let kind = list.iter().skip(at + 2).take_while(|token| !is_punct(token, ',')).cloned();
                self.components.insert(name.to_string(), kind.collect::<TokenStream>().to_string());
            }
        }
    }
}

/// The line on which the path begins whose last name is at `at`.
fn line_of_path(tokens: &[TokenTree], at: usize) -> usize {
    let mut first = at;
    loop {
        let colons =
            |from: usize| (from..from + 2).all(|at| tokens.get(at).is_some_and(|token| is_punct(token, ':')));
        if first >= 3 && colons(first - 2) && matches!(tokens[first - 3], TokenTree::Ident(_)) {
            first -= 3;
        } else if first >= 2 && colons(first - 2) {
            first -= 2;
        } else {
            return tokens[first].span().start().line;
        }
    }
}

fn is_punct(token: &TokenTree, c: char) -> bool {
    matches!(token, TokenTree::Punct(punct) if punct.as_char() == c)
}
